#include "apo/base/explain.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <sstream>

namespace apo {
namespace {

bool says(const std::string& message, const char* words) {
  return message.find(words) != std::string::npos;
}

/// What was wrong. A backtrace of LibTorch's is behind it, and in an error of a script the script's
/// own before it: there it is the last line that names an error, else the last.
std::string cause(std::string message) {
  message.resize(std::min(message.find("\nException raised from "), message.size()));
  message.resize(std::min(message.find("\nframe #"), message.size()));
  if (!says(message, "TorchScript interpreter")) return first_line(message);
  static const std::regex names_error(R"([A-Za-z_][\w.]*(Error|Exception|Interrupt): )");
  std::istringstream lines(message);
  std::string last;
  std::string named;
  for (std::string line; std::getline(lines, line);) {
    if (line.find_first_not_of(' ') == std::string::npos) continue;
    last = line;
    if (std::regex_search(line, names_error, std::regex_constants::match_continuous)) named = line;
  }
  return named.empty() ? last : named;
}

/// Which setting wants what an operation of the network has not.
std::string without_forward_mode(const std::string& line) {
  static const std::regex lacking("forward AD with (\\S+) that does not support it");
  std::smatch operation;
  if (!std::regex_search(line, operation, lacking)) return line;
  return fmt::format(
      "tuner.solver = exact: the network has an operation without forward-mode derivatives, {}; "
      "accepted: gradient, or another tuner",
      operation[1].str());
}

}  // namespace

std::string first_line(const std::string& message) {
  return message.substr(0, message.find('\n'));
}

bool is_of_the_machine(const std::string& message) {
  return says(message, "CUDA out of memory") || says(message, "CUDA error") ||
         says(message, "not enough memory") || says(message, "can't allocate memory");
}

std::string explained(const std::string& message) {
  const bool device = says(message, "CUDA out of memory");
  if (!device && says(message, "CUDA error")) {
    return first_line(message) +
           "; the device failed or was lost, the last checkpoint is whole: --resume goes on from "
           "it";
  }
  if (!is_of_the_machine(message)) return without_forward_mode(cause(message));
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
