#include "apo/run/weights.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <map>
#include <optional>

#include "apo/base/error.h"

namespace apo {
namespace {

using Names = std::vector<std::string>;

Error data_error(const WeightsFile& file, const std::string& what) {
  return {ErrorKind::data, file.path.string() + ": " + what};
}

std::string module_of(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

/// The module of the last weight that makes `outputs` numbers of a row.
std::string head_of(const Network& network, const TensorList& parameters, int64_t outputs) {
  for (size_t i = parameters.size(); i-- > 0;) {
    const Tensor& weight = parameters[i];
    if (weight.dim() == 2 && weight.size(0) == outputs) {
      return module_of(network.parameter_names()[i]);
    }
  }
  throw Error(ErrorKind::config,
              fmt::format("model.new_head = true: no linear layer with {} outputs trains in this "
                          "network; accepted: false",
                          outputs));
}

std::map<std::string, Tensor> tensors_of(Network& network) {
  std::map<std::string, Tensor> tensors;
  const auto add = [&](const Names& names, const TensorList& values) {
    for (size_t i = 0; i < names.size(); ++i) tensors[names[i]] = values[i];
  };
  add(network.parameter_names(), network.parameters());
  add(network.buffer_names(), network.buffers());
  return tensors;
}

void take(const WeightsFile& file, const std::string& name, const Tensor& from, Tensor& to) {
  if (from.sizes() != to.sizes()) {
    throw data_error(file,
                     fmt::format("the tensor '{}' has the shape [{}], the model's has [{}]; "
                                 "accepted: the same shape, or for another number of outputs "
                                 "model.new_head: true",
                                 name,
                                 fmt::join(from.sizes(), ", "),
                                 fmt::join(to.sizes(), ", ")));
  }
  if (from.is_floating_point() && !from.isfinite().all().item<bool>()) {
    throw data_error(file,
                     fmt::format("the tensor '{}' holds NaN or infinity; accepted: numbers", name));
  }
  const at::NoGradGuard no_grad;
  to.copy_(from);
}

/// "'fc.weight' (and 3 more)".
std::string first_of(const Names& names) {
  const std::string more = names.size() == 1 ? "" : fmt::format(" and {} more", names.size() - 1);
  return fmt::format("'{}'{}", names.front(), more);
}

/// What became of the tensors on both sides.
struct Sorted {
  Names taken;
  Names head;       ///< of the network, left as initialised
  Names missing;    ///< of the network
  Names left_over;  ///< of the file
};

void require_whole(const WeightsFile& file, const Sorted& sorted) {
  constexpr const char* kAccepted = "; accepted: the model's tensors, or model.partial: true";
  if (!sorted.missing.empty()) {
    throw data_error(file, "has no tensor " + first_of(sorted.missing) + kAccepted);
  }
  if (!sorted.left_over.empty()) {
    throw data_error(
        file, "has tensors that the model has not, " + first_of(sorted.left_over) + kAccepted);
  }
}

std::vector<std::string> lines_of(const WeightsFile& file, const Sorted& sorted) {
  std::vector<std::string> lines = {fmt::format("weights: {} tensors from {} (CRC-32 {:08x})",
                                                sorted.taken.size(),
                                                file.path.string(),
                                                file.checksum)};
  const auto add = [&](const char* what, const Names& names) {
    if (!names.empty())
      lines.push_back(fmt::format("weights {}: {}", what, fmt::join(names, ", ")));
  };
  add("newly initialised", sorted.head);
  if (sorted.missing.empty() && sorted.left_over.empty()) return lines;
  add("taken", sorted.taken);
  add("not in the file, newly initialised", sorted.missing);
  add("of the file left over", sorted.left_over);
  return lines;
}

}  // namespace

std::vector<std::string> take_weights(const WeightsFile& file,
                                      const WeightsOptions& options,
                                      int64_t outputs,
                                      Network& network) {
  std::optional<std::string> head;
  if (options.new_head) head = head_of(network, network.parameters(), outputs);
  const auto is_head = [&](const std::string& name) { return head && module_of(name) == *head; };
  std::map<std::string, Tensor> tensors = tensors_of(network);
  Sorted sorted;
  for (const auto& [name, tensor] : file.tensors) {
    if (tensors.count(name) == 0 && !is_head(name)) sorted.left_over.push_back(name);
  }
  for (const auto& [name, tensor] : tensors) {
    const bool there = file.tensors.count(name) > 0;
    (is_head(name) ? sorted.head : (there ? sorted.taken : sorted.missing)).push_back(name);
  }
  if (sorted.taken.empty()) {
    throw data_error(file,
                     fmt::format("has none of the model's tensors, such as '{}'; its own are {}",
                                 tensors.begin()->first,
                                 file.tensors.empty() ? "none" : first_of(sorted.left_over)));
  }
  if (!options.partial) require_whole(file, sorted);
  for (const std::string& name : sorted.taken) {
    take(file, name, file.tensors.at(name), tensors[name]);
  }
  return lines_of(file, sorted);
}

}  // namespace apo
