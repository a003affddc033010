#include "apo/base/explain.h"

#include <fmt/format.h>

#include <regex>

namespace apo {
namespace {

/// What was wrong: in an error of a script the traceback is before it.
std::string last_line(std::string message) {
  message.erase(message.find_last_not_of(" \n") + 1);
  return message.substr(message.rfind('\n') + 1);  // all where there is one line
}

bool says(const std::string& message, const char* words) {
  return message.find(words) != std::string::npos;
}

}  // namespace

bool is_of_the_machine(const std::string& message) {
  return says(message, "CUDA out of memory") || says(message, "CUDA error") ||
         says(message, "not enough memory") || says(message, "can't allocate memory");
}

std::string explained(const std::string& message) {
  const bool device = says(message, "CUDA out of memory");
  if (!device && says(message, "CUDA error")) {
    return message.substr(0, message.find('\n')) +
           "; the device failed or was lost, the last checkpoint is whole: --resume goes on from "
           "it";
  }
  if (!is_of_the_machine(message)) {
    return says(message, "TorchScript interpreter") ? last_line(message) : message;
  }
  static const std::regex amount("[Tt]ried to allocate ([0-9.]+ ?[A-Za-z]+)");
  std::smatch asked;
  const bool known = std::regex_search(message, asked, amount);
  return fmt::format(
      "out of memory on the {}{}; smaller values help of dataset.batch_size, "
      "tuner.discrepancy_batch_size, the model's own keys, dataset.train_examples",
      device ? "device" : "host",
      known ? ": " + asked[1].str() + " were asked for" : "");
}

}  // namespace apo
