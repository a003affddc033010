#include "apo/data/accepted.h"

#include <ATen/TensorOperators.h>

#include <algorithm>

#include "apo/config/characters.h"
#include "apo/data/files.h"
#include "apo/data/own.h"

namespace apo {

namespace fs = std::filesystem;

bool is_utf8(const std::string& text) {
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (std::all_of(text.begin(), text.end(), is_ascii)) return true;
  for (size_t i = 0; i < text.size();) {
    const size_t length = text[i] == '\0' ? 1 : utf8_length(text, i);
    if (length == 0) return false;
    i += length;
  }
  return true;
}

Tensor with_sign(const Tensor& values, const std::string& name, const fs::path& path) {
  if (values.scalar_type() != at::kUInt64) return values;
  const Tensor numbers = values.view(at::kLong);
  require_values(numbers, name, path, "", [&](const Tensor& block) {
    const Tensor fits = block.ge(0);
    if (fits.all().item<bool>()) return fits;
    data_error(path, name + " holds numbers of 2^63 or more; accepted: those that fit into int64");
  });
  return numbers;
}

}  // namespace apo
