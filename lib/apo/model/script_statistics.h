// Batch statistics of a module that a script has written.
#pragma once

#include <torch/csrc/jit/api/module.h>

#include <functional>
#include <vector>

#include "apo/base/tensors.h"

namespace apo {

/// Sets a module's mode, not that of those below it.
void set_training(const torch::jit::Module& module, bool on);

/// Gathers the plain means of batch statistics, whatever keeps them: every module with buffers
/// running_mean and running_var. From zeros a pass leaves m μ there, of a momentum m that is
/// written into the script; once more it leaves m μ (2 − m), which tells m.
class ScriptStatistics {
 public:
  /// Sets to evaluation mode what keeps no statistics; what keeps them and is there already is not
  /// asked for its own.
  explicit ScriptStatistics(const torch::jit::Module& script);

  /// The outputs of `forward`, whose statistics are noted; the first time it runs twice.
  Tensor noted(const std::function<Tensor()>& forward);
  /// Leaves the means in the buffers; what they held before where no pass has changed them.
  void finish() const;

 private:
  struct Norm {
    Tensor mean;
    Tensor variance;
    Tensor count;  ///< may be undefined
    Tensor mean_before = {};
    Tensor variance_before = {};
    Tensor mean_sum = {};  ///< of m μ
    Tensor variance_sum = {};
    double momentum = 0;
  };

  std::vector<Norm> norms_;
  int64_t passes_ = 0;
};

}  // namespace apo
