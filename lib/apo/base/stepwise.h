// Recurrent layers without the kernels that do them at once.
#pragma once

namespace apo {

/// While it lives, on its thread, scripts compute their recurrent layers operation by operation:
/// the kernels of oneDNN and cuDNN that do a layer at once have neither forward-mode nor second
/// derivatives. What has no such layers is as fast as ever.
class Stepwise {
 public:
  Stepwise() { ++depth; }
  ~Stepwise() { --depth; }
  Stepwise(const Stepwise&) = delete;
  Stepwise& operator=(const Stepwise&) = delete;
  static bool is_wanted() { return depth > 0; }

 private:
  static inline thread_local int depth = 0;
};

}  // namespace apo
