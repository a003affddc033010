# Finds LibTorch without find_package(Torch), which demands a CUDA toolkit wherever the library was built with CUDA.
#
#   APO_TORCH_DIR   a wheel's `torch` folder or an unpacked libtorch; default: what scripts/setup.sh fetched
#   APO_CUDA        link the CUDA libraries too
#
# Defines LibTorch_VERSION and the targets LibTorch::torch, LibTorch::headers (which it includes), LibTorch::cuda_headers: those
# of CUDA, from the wheels that lie beside LibTorch or from a toolkit, and LibTorch::nccl_headers, empty without LibTorch_NCCL_INCLUDE_DIR.
include(FindPackageHandleStandardArgs)

if(NOT APO_TORCH_DIR)
  if(DEFINED ENV{XDG_CACHE_HOME})
    set(_cache "$ENV{XDG_CACHE_HOME}")
  else()
    set(_cache "$ENV{HOME}/.cache")
  endif()
  if(APO_CUDA)
    set(_flavour cuda)
  else()
    set(_flavour cpu)
  endif()
  file(STRINGS "${CMAKE_SOURCE_DIR}/scripts/libtorch/cpu.txt" _pin REGEX "^torch==")
  string(REGEX REPLACE "^torch==([0-9.]+).*" "\\1" _pin "${_pin}")
  set(APO_TORCH_DIR "${_cache}/apo-train/libtorch-${_pin}-${_flavour}/torch")
endif()

# NO_CACHE: a build folder follows when it is configured for another LibTorch.
find_path(LibTorch_INCLUDE_DIR torch/csrc/api/include/torch/torch.h PATHS "${APO_TORCH_DIR}/include" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_CPU_LIBRARY torch_cpu PATHS "${APO_TORCH_DIR}/lib" NO_DEFAULT_PATH NO_CACHE)
find_library(LibTorch_C10_LIBRARY c10 PATHS "${APO_TORCH_DIR}/lib" NO_DEFAULT_PATH NO_CACHE)
if(LibTorch_INCLUDE_DIR AND EXISTS "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
  set(_version_header "${LibTorch_INCLUDE_DIR}/torch/headeronly/version.h")
else()
  set(_version_header "${LibTorch_INCLUDE_DIR}/torch/csrc/api/include/torch/version.h")
endif()
if(EXISTS "${_version_header}")
  file(STRINGS "${_version_header}" _version REGEX "define TORCH_VERSION_(MAJOR|MINOR|PATCH) [0-9]+")
  string(REGEX REPLACE "[^0-9]+([0-9]+)[^0-9]+([0-9]+)[^0-9]+([0-9]+).*" "\\1.\\2.\\3" LibTorch_VERSION "${_version}")
endif()

find_package_handle_standard_args(
  LibTorch
  REQUIRED_VARS LibTorch_CPU_LIBRARY LibTorch_C10_LIBRARY LibTorch_INCLUDE_DIR
  VERSION_VAR LibTorch_VERSION
  REASON_FAILURE_MESSAGE "looked in '${APO_TORCH_DIR}'. Run scripts/setup.sh, or give -DAPO_TORCH_DIR=<folder with include/ and lib/>."
)

if(LibTorch_FOUND AND NOT TARGET LibTorch::torch)
  add_library(LibTorch::headers INTERFACE IMPORTED)
  # After the system's folders: the wheel carries headers of other libraries (fmt) that must not hide the real ones.
  target_compile_options(
    LibTorch::headers
    INTERFACE "SHELL:-idirafter ${LibTorch_INCLUDE_DIR}"
              "SHELL:-idirafter ${LibTorch_INCLUDE_DIR}/torch/csrc/api/include"
  )
  add_library(LibTorch::cuda_headers INTERFACE IMPORTED)
  find_path(LibTorch_CUDA_INCLUDE_DIR cuda_runtime_api.h PATHS "${APO_TORCH_DIR}/../nvidia/cu13/include" /usr/local/cuda/include NO_CACHE)
  if(LibTorch_CUDA_INCLUDE_DIR)
    target_compile_options(LibTorch::cuda_headers INTERFACE "SHELL:-idirafter ${LibTorch_CUDA_INCLUDE_DIR}")
  elseif(APO_CUDA)
    message(FATAL_ERROR "CUDA's headers (cuda_runtime_api.h) are neither beside '${APO_TORCH_DIR}' nor in /usr/local/cuda/include")
  endif()
  # With NCCL's go more of CUDA's than lie beside a LibTorch for CPUs; those beside the one for GPUs, where that was fetched, too, do.
  add_library(LibTorch::nccl_headers INTERFACE IMPORTED)
  find_path(
    LibTorch_NCCL_INCLUDE_DIR nccl.h
    PATHS "${APO_TORCH_DIR}/../nvidia/nccl/include" "${APO_TORCH_DIR}/../../libtorch-${LibTorch_VERSION}-cuda/nvidia/nccl/include" NO_CACHE
  )
  if(LibTorch_NCCL_INCLUDE_DIR)
    target_compile_options(
      LibTorch::nccl_headers INTERFACE "SHELL:-idirafter ${LibTorch_NCCL_INCLUDE_DIR}"
                                       "SHELL:-idirafter ${LibTorch_NCCL_INCLUDE_DIR}/../../cu13/include"
    )
  endif()
  add_library(LibTorch::torch INTERFACE IMPORTED)
  target_link_libraries(LibTorch::torch INTERFACE LibTorch::headers)
  set(_libraries ${LibTorch_CPU_LIBRARY} ${LibTorch_C10_LIBRARY})
  if(APO_CUDA)
    find_library(LibTorch_CUDA_LIBRARY torch_cuda PATHS "${APO_TORCH_DIR}/lib" NO_DEFAULT_PATH NO_CACHE REQUIRED)
    find_library(LibTorch_C10_CUDA_LIBRARY c10_cuda PATHS "${APO_TORCH_DIR}/lib" NO_DEFAULT_PATH NO_CACHE REQUIRED)
    list(APPEND _libraries ${LibTorch_CUDA_LIBRARY} ${LibTorch_C10_CUDA_LIBRARY})
  endif()
  # --no-as-needed: the libraries register their kernels when loaded, which no symbol asks for.
  target_link_libraries(LibTorch::torch INTERFACE "-Wl,--push-state,--no-as-needed" ${_libraries} "-Wl,--pop-state")
endif()
