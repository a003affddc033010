#include "apo/base/random.h"

#include <ATen/CPUGeneratorImpl.h>

namespace apo {
namespace {

/// The finaliser of SplitMix64: neighbouring inputs give unrelated outputs.
uint64_t mix(uint64_t z) {
  z += 0x9e3779b97f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

at::Generator make_generator(uint64_t seed, RandomStream stream, uint64_t part) {
  return at::detail::createCPUGenerator(mix(mix(mix(seed) ^ static_cast<uint64_t>(stream)) ^ part));
}

}  // namespace apo
