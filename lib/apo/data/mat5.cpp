#include "apo/data/mat5.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "apo/data/mat5_element.h"

namespace apo {
namespace {

constexpr size_t kHeaderBytes = 128;
constexpr int64_t kMaxRank = 8;
constexpr int64_t kMaxNameBytes = 256;
constexpr int64_t kMaxElements = int64_t{1} << 40;

/// Name and size of a type, or size 0 for what is no type of numbers.
std::pair<const char*, int64_t> type_facts(uint32_t type) {
  switch (static_cast<MatType>(type)) {
    case MatType::int8:
      return {"int8", 1};
    case MatType::uint8:
      return {"uint8", 1};
    case MatType::int16:
      return {"int16", 2};
    case MatType::uint16:
      return {"uint16", 2};
    case MatType::int32:
      return {"int32", 4};
    case MatType::uint32:
      return {"uint32", 4};
    case MatType::single:
      return {"single", 4};
    case MatType::real:
      return {"double", 8};
    case MatType::int64:
      return {"int64", 8};
    case MatType::uint64:
      return {"uint64", 8};
  }
  return {"", 0};
}

/// Begins each part of an array. Parts of 1 to 4 bytes may lie within their tag.
struct Tag {
  uint32_t type;
  int64_t bytes;
  bool small;
  std::array<uint8_t, 4> data;
};

Tag read_tag(MatElement& element) {
  std::array<uint8_t, 8> bytes{};
  element.read(bytes.data(), bytes.size());
  const uint32_t first = little_endian(bytes.data());
  const std::array<uint8_t, 4> data{bytes[4], bytes[5], bytes[6], bytes[7]};
  if (first >> 16 == 0) return {first, little_endian(data.data()), false, data};
  const Tag tag{first & 0xffff, first >> 16, true, data};
  if (tag.bytes > 4) {
    element.fail(fmt::format("a part of {} bytes within its tag; expected 1 to 4", tag.bytes));
  }
  return tag;
}

/// The bytes of a part that comes before the elements.
std::vector<uint8_t> read_part(MatElement& element,
                               uint32_t type,
                               int64_t max_bytes,
                               const char* what) {
  const int64_t place = element.position();
  const Tag tag = read_tag(element);
  if (tag.type != type || tag.bytes > max_bytes) {
    element.fail(fmt::format(
        "type {} of {} bytes at byte {} of its contents; expected {}, type {} of up to {} bytes",
        tag.type,
        tag.bytes,
        place,
        what,
        type,
        max_bytes));
  }
  if (tag.small) return {tag.data.begin(), tag.data.begin() + tag.bytes};
  std::vector<uint8_t> part(static_cast<size_t>((tag.bytes + 7) / 8 * 8));
  element.read(part.data(), part.size());
  part.resize(static_cast<size_t>(tag.bytes));
  return part;
}

std::vector<int64_t> read_shape(MatElement& element) {
  const std::vector<uint8_t> sizes = read_part(element, 5, 4 * kMaxRank, "dimensions");
  std::vector<int64_t> shape;
  int64_t product = 1;
  for (size_t i = 0; i + 4 <= sizes.size(); i += 4) {
    const int64_t size = little_endian(&sizes[i]);
    if (size > 0 && product > kMaxElements / size) element.fail("claims more than 2^40 elements");
    product *= size;
    shape.push_back(size);
  }
  if (shape.size() < 2) {
    element.fail(fmt::format("{} dimensions; expected 2 or more", shape.size()));
  }
  return shape;
}

/// May be empty, as of the arrays that MATLAB keeps for itself.
std::string read_name(MatElement& element) {
  const std::vector<uint8_t> bytes = read_part(element, 1, kMaxNameBytes, "a name");
  std::string name(bytes.begin(), bytes.end());
  constexpr const char* kAccepted =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_";
  const size_t wrong = name.find_first_not_of(kAccepted);
  if (wrong != std::string::npos) {
    element.fail(fmt::format("byte {:#04x} in its name; expected letters, digits and underscores",
                             bytes[wrong]));
  }
  return name;
}

/// Whether the array is of real numbers, from its flags.
bool read_is_real(MatElement& element) {
  constexpr uint8_t kDouble = 6;  // the first of the numeric classes
  constexpr uint8_t kUint64 = 15;
  constexpr uint8_t kComplex = 0x08;
  const std::vector<uint8_t> flags = read_part(element, 6, 8, "array flags");
  if (flags.size() != 8) {
    element.fail(fmt::format("array flags of {} bytes; expected 8", flags.size()));
  }
  return flags[0] >= kDouble && flags[0] <= kUint64 && (flags[1] & kComplex) == 0;
}

}  // namespace

int64_t MatArray::elements() const {
  int64_t product = 1;
  for (const int64_t size : shape) product *= size;
  return product;
}

std::string MatArray::describe() const {
  return fmt::format("{} {}", fmt::join(shape, "x"), type_facts(static_cast<uint32_t>(type)).first);
}

/// The elements of one array.
class MatFile::Elements : public ByteSource {
 public:
  Elements(InputFile& file, int64_t place, bool compressed, int64_t bytes)
      : element_(file, place, compressed, bytes) {}

  /// Reads all before the elements; nothing where the array is not of real numbers.
  std::optional<MatArray> header() {
    if (!read_is_real(element_)) return {};
    MatArray array;
    array.shape = read_shape(element_);
    array.name = read_name(element_);
    element_.set_name(array.name);

    const Tag tag = read_tag(element_);
    const int64_t size = type_facts(tag.type).second;
    if (size == 0) element_.fail(fmt::format("elements of type {}; expected numbers", tag.type));
    array.type = static_cast<MatType>(tag.type);
    array.bytes = tag.bytes;
    if (tag.bytes != array.elements() * size) {
      element_.fail(fmt::format("{} bytes of elements; expected {} ({})",
                                tag.bytes,
                                array.elements() * size,
                                array.describe()));
    }
    if (tag.small) small_.assign(tag.data.begin(), tag.data.begin() + tag.bytes);
    left_ = tag.bytes;
    return array;
  }

  size_t read(void* to, size_t count) override {
    const size_t wanted = std::min(count, static_cast<size_t>(left_));
    if (small_.empty()) {
      element_.read(to, wanted);
    } else {
      std::copy_n(small_.end() - left_, wanted, static_cast<uint8_t*>(to));
    }
    left_ -= static_cast<int64_t>(wanted);
    return wanted;
  }

  void finish() {
    std::array<uint8_t, 8> padding{};
    if (element_.left() >= 8) {
      element_.fail(fmt::format("goes on for {} bytes after its elements", element_.left()));
    }
    element_.read(padding.data(), static_cast<size_t>(element_.left()));
    element_.finish();
  }

  void skip() { element_.skip(); }

 private:
  MatElement element_;
  std::vector<uint8_t> small_;  // the elements, where they lie within their tag
  int64_t left_ = 0;            // bytes not yet read
};

namespace {

using Header = std::array<uint8_t, kHeaderBytes>;

/// Whether these are the first bytes of an HDF5 file, by its own signature or as MATLAB 7.3 begins
/// one, in either byte order.
bool is_hdf5(const Header& header) {
  const std::string text(header.begin(), header.end());
  const std::string end = text.substr(124);
  return text.starts_with("\x89HDF\r\n\x1a\n") || text.starts_with("MATLAB 7.3") ||
         end == std::string("\0\2IM", 4) || end == std::string("\2\0MI", 4);
}

bool is_big_endian(const Header& header) {
  return header[126] == 'M' && header[127] == 'I';
}

/// Errors for what is a MATLAB file of another kind, with the way to one of ours.
void refuse_other_kinds(const Header& header, const std::filesystem::path& path) {
  if (is_hdf5(header)) {
    data_error(path,
               "is a MATLAB 7.3 (HDF5) file; MATLAB 5 files are accepted: in MATLAB load it and "
               "save(file, 'X', 'y', '-v7'), or in Python f = h5py.File(file); "
               "scipy.io.savemat(new, {k: f[k][()].T for k in 'Xy'})");
  }
  if (is_big_endian(header)) {
    data_error(path,
               "is a MATLAB 5 file in big-endian byte order; little-endian ones are accepted: in "
               "Python scipy.io.savemat(new, scipy.io.loadmat(file))");
  }
}

}  // namespace

MatFile::MatFile(const std::filesystem::path& path) : file_(path) {
  Header header{};
  const size_t got = file_.read(header.data(), header.size());
  if (got > 0) refuse_other_kinds(header, path);
  if (got < header.size()) {
    data_error(path,
               fmt::format("ends at byte {}; expected a MATLAB 5 header of {} bytes",
                           file_.position(),
                           kHeaderBytes));
  }
  const int version = header[124] | header[125] << 8;
  const bool little = header[126] == 'I' && header[127] == 'M';
  if (!little || version != 0x0100) {
    data_error(path,
               fmt::format("version {:#06x} and byte order {:#04x} {:#04x} at byte 124; expected "
                           "0x0100 and 0x49 0x4d (MATLAB 5, little-endian)",
                           version,
                           header[126],
                           header[127]));
  }
}

MatFile::~MatFile() = default;

std::optional<MatArray> MatFile::next() {
  for (;;) {
    if (elements_) elements_->skip();
    elements_.reset();
    const int64_t place = file_.position();
    std::array<uint8_t, 8> tag{};
    const size_t got = file_.read(tag.data(), tag.size());
    if (got == 0) return {};
    if (got < tag.size()) {
      data_error(file_.path(),
                 fmt::format("ends at byte {} within the tag at byte {}", place + got, place));
    }
    const uint32_t type = little_endian(tag.data());
    if (type != kMatArray && type != kMatCompressed) {
      data_error(file_.path(),
                 fmt::format("type {} at byte {}; expected {} (array) or {} (compressed array)",
                             type,
                             place,
                             kMatArray,
                             kMatCompressed));
    }
    elements_ =
        std::make_unique<Elements>(file_, place, type == kMatCompressed, little_endian(&tag[4]));
    if (auto array = elements_->header()) return array;
  }
}

ByteSource& MatFile::elements() {
  return *elements_;
}

void MatFile::finish() {
  elements_->finish();
}

}  // namespace apo
