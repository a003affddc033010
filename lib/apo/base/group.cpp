#include "apo/base/group.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include <algorithm>

#include "apo/base/error.h"

namespace apo {

Group& alone() {
  static Group group;
  return group;
}

Share share_of(int64_t size, int64_t rank, int64_t ranks) {
  const int64_t begin = size * rank / ranks;
  return {begin, size * (rank + 1) / ranks - begin};
}

Tensor mean(Group& group, const Tensor& t) {
  Tensor result = t;
  average(group, {&result});
  return result;
}

/// float64 holds what the others do.
void average(Group& group, const std::vector<Tensor*>& tensors) {
  if (group.size() == 1) return;
  const at::NoGradGuard no_grad;
  TensorList flat;
  for (const Tensor* t : tensors) flat.push_back(t->detach().to(at::kDouble).flatten());
  Tensor all = at::cat(flat);
  group.sum(all);
  all /= static_cast<double>(group.size());
  int64_t at = 0;
  for (Tensor* t : tensors) {
    const Tensor own = all.narrow(0, at, t->numel()).view(t->sizes());
    at += t->numel();
    *t = own.to(t->scalar_type());
  }
}

void require_same(Group& group, const std::string& what, const std::string& word) {
  const std::vector<std::string> words = group.gather(word);
  const auto other = std::find_if(
      words.begin(), words.end(), [&](const std::string& each) { return each != words.front(); });
  if (other == words.end()) return;
  throw Error(ErrorKind::config,
              fmt::format("rank {} has not the same {} as rank 0; accepted: the same program, "
                          "configuration and files on all",
                          other - words.begin(),
                          what));
}

}  // namespace apo
