// What may be in files of the user's own, whatever their format.
#pragma once

#include <filesystem>
#include <string>

#include "apo/base/tensors.h"

namespace apo {

/// Names and words go on into JSON, which is UTF-8 alone.
bool is_utf8(const std::string& text);

/// Of uint64, with which LibTorch computes next to nothing, the same memory as int64; others as
/// they are. Error (data) where a number does not fit.
Tensor with_sign(const Tensor& values, const std::string& name, const std::filesystem::path& path);

}  // namespace apo
