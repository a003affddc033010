// How programs that train use jemalloc, which reads this when it is loaded.

/// Tensors of some megabytes come and go at every step. Their memory is kept instead of returned to
/// the system and faulted in again, and large ones share it with all others.
extern "C" {
// NOLINTBEGIN(readability-identifier-naming): the name that jemalloc looks for
extern const char* const malloc_conf;
const char* const malloc_conf = "dirty_decay_ms:-1,muzzy_decay_ms:-1,oversize_threshold:0";
// NOLINTEND(readability-identifier-naming)
}
