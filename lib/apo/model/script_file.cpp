#include "apo/model/script_file.h"

#include <caffe2/serialize/inline_container.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/serialization/import.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apo/base/error.h"
#include "apo/base/explain.h"
#include "apo/base/files.h"
#include "apo/config/characters.h"

namespace apo {
namespace fs = std::filesystem;
namespace jit = torch::jit;

namespace {

/// More than any network that trains on one machine.
constexpr uintmax_t kMostBytes = uintmax_t{1} << 38;

[[noreturn]] void refuse(const fs::path& path, const std::string& what) {
  throw Error(ErrorKind::data,
              fmt::format("{}: {}; accepted: a module that torch.jit.save wrote, whose forward "
                          "takes a tensor to a tensor",
                          path.string(),
                          what));
}

/// Some of LibTorch's messages begin with a place.
std::string without_place(const std::exception& error) {
  std::string message = first_line(error.what());
  constexpr std::string_view kEnd = "] . ";
  const size_t place = message.starts_with("[enforce fail") ? message.find(kEnd) : message.npos;
  if (place != message.npos) message.erase(0, place + kEnd.size());
  return in_one_line(message);
}

int64_t checksum_of_file(const fs::path& path) {
  const int file = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const auto sum = checksum_of_first(static_cast<int64_t>(fs::file_size(path)), file);
  if (file >= 0) ::close(file);
  if (!sum) refuse(path, "cannot be read");
  return *sum;
}

void require_file(const fs::path& path) {
  std::error_code failure;
  const bool is_file = fs::is_regular_file(path, failure);
  const uintmax_t size = is_file ? fs::file_size(path, failure) : 0;
  if (failure) refuse(path, "cannot be read: " + failure.message());
  if (!is_file) refuse(path, "is no file");
  if (size > kMostBytes) refuse(path, fmt::format("has {} bytes", size));
  if (!std::ifstream(path)) refuse(path, "cannot be read");
}

/// The other things that are called .pt.
void require_module(const fs::path& path) {
  caffe2::serialize::PyTorchStreamReader reader(path.string());
  if (reader.hasRecord("constants.pkl")) return;
  for (const char* record :
       {"archive_format", "models/model.json", "serialized_exported_program.json"}) {
    if (reader.hasRecord(record)) {
      refuse(path, "is a program of torch.export, which LibTorch can run but not train");
    }
  }
  refuse(path,
         reader.hasRecord("data.pkl") ? "holds tensors as torch.save writes them, no module"
                                      : "is an archive without a module");
}

jit::Module load(const fs::path& path) {
  try {
    require_module(path);
    return jit::load(path.string(), at::kCPU, /*load_debug_files=*/false);
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    refuse(path, "asks for more memory than there is");
  } catch (const std::exception& error) {
    refuse(path, "cannot be read: " + without_place(error));
  }
}

void require_one_tensor_to_one(const fs::path& path, const jit::Module& module) {
  const auto method = module.find_method("forward");
  if (!method) refuse(path, "has no method forward");
  const c10::FunctionSchema& schema = method->function().getSchema();
  const auto& arguments = schema.arguments();
  const auto& returns = schema.returns();
  const auto is_tensor = [](const c10::Argument& of) {
    return of.type()->isSubtypeOf(*c10::TensorType::get());
  };
  bool fits = arguments.size() > 1 && is_tensor(arguments[1]);  // behind self
  for (size_t i = 2; i < arguments.size(); ++i) fits = fits && arguments[i].default_value();
  if (fits && returns.size() == 1 && is_tensor(returns[0])) return;
  std::vector<std::string> types;
  for (size_t i = 1; i < arguments.size(); ++i) {
    types.push_back(fmt::format("{} {}", arguments[i].type()->str(), arguments[i].name()));
  }
  const std::string result = returns.empty() ? "nothing" : returns[0].type()->str();
  refuse(path,
         fmt::format("its forward takes ({}) to {}",
                     in_one_line(fmt::format("{}", fmt::join(types, ", "))),
                     in_one_line(result)));
}

bool any_node(at::ArrayRef<jit::Block*> blocks, const std::function<bool(jit::Node&)>& is);

bool any_node(jit::Block& block, const std::function<bool(jit::Node&)>& is) {
  return std::any_of(block.nodes().begin(), block.nodes().end(), [&](jit::Node* node) {
    if (is(*node) || any_node(node->blocks(), is)) return true;
    return node->hasAttribute(c10::attr::Subgraph) &&
           any_node(*node->g(c10::attr::Subgraph)->block(), is);
  });
}

bool any_node(at::ArrayRef<jit::Block*> blocks, const std::function<bool(jit::Node&)>& is) {
  return std::any_of(
      blocks.begin(), blocks.end(), [&](jit::Block* block) { return any_node(*block, is); });
}

/// Whether a node of forward, and of all that it calls, is such a one.
bool any_node(const jit::Module& module, const std::function<bool(jit::Node&)>& is) {
  const std::shared_ptr<jit::Graph> graph = module.get_method("forward").graph()->copy();
  jit::Inline(*graph);
  return any_node(*graph->block(), is);
}

/// BatchNorm of PyTorch before 1.13 does.
void require_no_assignment(const fs::path& path, const jit::Module& module) {
  any_node(module, [&](jit::Node& node) {
    if (node.kind() != c10::prim::SetAttr) return false;
    refuse(path,
           fmt::format("its forward assigns {}, which checkpoints would not know; change a buffer "
                       "in place instead",
                       in_one_line(node.s(c10::attr::name))));
  });
}

}  // namespace

ScriptFile read_script(const fs::path& path) {
  require_file(path);
  ScriptFile file{load(path), checksum_of_file(path)};
  require_one_tensor_to_one(path, file.module);
  require_no_assignment(path, file.module);
  return file;
}

bool has_recurrent_layers(const jit::Module& module) {
  return any_node(module, [](jit::Node& node) {
    return node.kind() == c10::aten::lstm || node.kind() == c10::aten::gru ||
           node.kind() == c10::aten::rnn_tanh || node.kind() == c10::aten::rnn_relu;
  });
}

bool draws_numbers(const jit::Module& module) {
  return any_node(module, [](jit::Node& node) {
    const bool unknown =
        node.kind() == c10::prim::CallMethod || node.kind() == c10::prim::CallFunction;
    return unknown || node.isNondeterministic();
  });
}

}  // namespace apo
