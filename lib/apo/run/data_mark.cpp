#include "apo/run/data_mark.h"

#include <fmt/format.h>

#include "apo/base/error.h"
#include "apo/base/files.h"

namespace apo {
namespace {

int64_t checksum(const Split& split) {
  uint32_t sum = 0;
  split.visit_tensors([&](const Tensor& t) {
    if (!t.defined()) return;
    for_each_block(t, split.rows, [&sum](const Tensor& block) {
      sum = checksum_of({static_cast<const char*>(block.const_data_ptr()), block.nbytes()}, sum);
    });
  });
  return sum;
}

/// Throws Error(data) where it is another.
void visit_file(StateVisitor& visitor,
                const std::string& name,
                const char* key,
                std::optional<int64_t> checksum) {
  if (!checksum) return;
  int64_t saved = *checksum;
  visitor.integer(name, saved);
  if (saved == *checksum) return;
  throw Error(ErrorKind::data,
              fmt::format("{}: the file has the CRC-32 {:08x}; that of the run that is there has "
                          "{:08x}, and it cannot go on with another; accepted: the same file, or "
                          "another name",
                          key,
                          *checksum,
                          saved));
}

}  // namespace

DataMark mark_of(const Dataset& dataset) {
  return {.train_examples = dataset.train.size(),
          .test_examples = dataset.test.size(),
          .train_checksum = checksum(dataset.train),
          .test_checksum = checksum(dataset.test)};
}

void DataMark::visit_state(StateVisitor& visitor) const {
  visit_file(visitor, "model_checksum", "model.path", model_checksum);
  visit_file(visitor, "tuner_checksum", "tuner.trace", tuner_checksum);
  const auto visit = [&visitor](const char* part, int64_t examples, int64_t checksum) {
    int64_t saved_examples = examples;
    int64_t saved_checksum = checksum;
    visitor.integer(fmt::format("{}_examples", part), saved_examples);
    visitor.integer(fmt::format("{}_checksum", part), saved_checksum);
    const bool same_number = saved_examples == examples;
    if (same_number && saved_checksum == checksum) return;
    const auto shown = [&](int64_t number, int64_t sum) {
      return same_number ? fmt::format("{} examples of CRC-32 {:08x}", number, sum)
                         : fmt::format("{} examples", number);
    };
    throw Error(
        ErrorKind::data,
        fmt::format("dataset: the {} set has {}; that of the run that is there has {}, and it "
                    "cannot go on with others; accepted: the same files, or another name",
                    part,
                    shown(examples, checksum),
                    shown(saved_examples, saved_checksum)));
  };
  visit("train", train_examples, train_checksum);
  visit("test", test_examples, test_checksum);
}

}  // namespace apo
