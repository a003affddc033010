// The safetensors file format: tensors by name, readable by everyone.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>

#include "apo/base/files.h"
#include "apo/base/mapped_file.h"
#include "apo/base/tensors.h"

namespace apo {

/// Eight bytes of header length, a JSON header {"name": {"dtype", "shape", "data_offsets"}, …},
/// then the values, row by row, little-endian. Source: the format of
/// github.com/huggingface/safetensors. tensors: on the CPU, of any strides. metadata: UTF-8, is
/// the header's "__metadata__". Throws Error(output).
void write_safetensors(const std::map<std::string, Tensor>& tensors,
                       AtomicFile& file,
                       const std::map<std::string, std::string>& metadata = {});

/// The tensors of a file's content, contiguous. Throws Error(data), whose message begins with
/// `place`, where the content is not wholly right; takes no more memory than its bytes.
std::map<std::string, Tensor> parse_safetensors(const std::string& content,
                                                const std::string& place);

/// The same of a mapped file, whose tensors lie in it: nothing is read but the header, and tensors
/// that are at no place for their type.
std::map<std::string, Tensor> map_safetensors(const std::shared_ptr<const MappedFile>& file);

/// The same of a file, each tensor read into its own memory, without a copy of the file beside it.
std::map<std::string, Tensor> read_safetensors(const std::filesystem::path& path);

}  // namespace apo
