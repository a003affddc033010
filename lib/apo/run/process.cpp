#include "apo/run/process.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <cstdlib>

#include "apo/base/system.h"

namespace apo {
namespace {

/// Algorithms of the GPU's libraries: the fastest by trial, or always the same ones.
void choose_algorithms(bool deterministic) {
  at::Context& context = at::globalContext();
  context.setBenchmarkCuDNN(!deterministic);
  context.setDeterministicCuDNN(deterministic);
  context.setDeterministicAlgorithms(deterministic, false);
  if (!deterministic) return;
  context.setDeterministicFillUninitializedMemory(false);
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", 0);  // what cuBLAS asks for
}

}  // namespace

void set_up_process(const Experiment& experiment) {
  use_threads(experiment.threads_to_use());
  const bool tf32 = experiment.precision == Precision::tf32;
  at::globalContext().setAllowTF32CuBLAS(tf32);
  at::globalContext().setAllowTF32CuDNN(tf32);
  const bool on_gpu = experiment.device != "cpu" && at::Context::hasCUDA();
  if (on_gpu) choose_algorithms(experiment.deterministic);
}

Experiment sharing_cores(Experiment experiment, const Group& group) {
  if (experiment.threads == 0 && group.local_size() > 1) {
    experiment.threads = std::max<int64_t>(1, usable_cores() / group.local_size());
  }
  return experiment;
}

void use_threads(int64_t threads) {
  at::set_num_threads(static_cast<int>(threads));
}

}  // namespace apo
