#!/usr/bin/env bash
# Installs what apo-train needs on Debian 12: packages with apt, LibTorch from its wheel on PyPI.
# Usage: scripts/setup.sh [--cpu|--cuda] [--dev]
#   --cpu, --cuda   LibTorch without (0.6 GB to download) or with (2.5 GB) the CUDA libraries;
#                   default: cuda where an NVIDIA device or a CUDA toolkit is found
#   --dev           also what only developers need: clang, clang-format, clang-tidy, gcovr, Google Benchmark, matplotlib, valgrind and shellcheck; and for
#                   tests what is on the other side: Chromium and Selenium, PyTorch, torchvision and scikit-learn, Slurm, GNU parallel, shells, groff
# Environment:
#   APO_TORCH_DIR     a LibTorch of your own, 2.8 or later: nothing is downloaded
#   APO_NO_PACKAGES   set to 1, leaves the system's packages alone
#   XDG_CACHE_HOME    LibTorch is kept in its apo-train folder; default: ~/.cache
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

packages=(
  ca-certificates git g++ cmake ninja-build ccache pkg-config # to build
  python3 python3-pip unzip curl                              # to fetch LibTorch and data sets
  libcli11-dev libcsv-dev libfmt-dev libgloo-dev libisal-dev libjemalloc-dev libjs-chart.js libmatio-dev libpng-dev libprotobuf-dev libspdlog-dev libturbojpeg0-dev libyaml-cpp-dev
  libopenmpi-dev nlohmann-json3-dev openmpi-bin protobuf-compiler zlib1g-dev
  libgmock-dev libgtest-dev procps python3-jsonschema           # to test
  dataset-fashion-mnist                                         # for the quickstart
)
developer_packages=(chromium chromium-driver clang-14 clang-format-14 clang-tidy-14 fish gcovr groff-base libbenchmark-dev libclang-rt-14-dev munge parallel
  python3-matplotlib python3-selenium python3-sklearn python3-torch python3-torchvision python3-venv shellcheck slurm-wlm valgrind zsh)

asked=
while [ $# -gt 0 ]; do
  case $1 in
    --cpu | --cuda) asked=${1#--} ;;
    --dev) packages+=("${developer_packages[@]}") ;;
    -h | --help) usage && exit ;;
    *) die "unknown option '$1'; accepted: --cpu, --cuda, --dev, --help" ;;
  esac
  shift
done

# need_space FOLDER GIGABYTES WHAT
need_space() {
  local free
  free=$(df -Pk "$1" | awk 'NR == 2 {print int($4 / 1000)}')
  [ "$free" -ge "$(($2 * 1000))" ] ||
    die "$3 needs $2 GB of free disk at $1, which has $free MB; make room, or name another disk: XDG_CACHE_HOME=/big/disk ${0##*/}"
}

install_packages() {
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    die "this is no Debian; install the equivalents of these packages, then run again with APO_NO_PACKAGES=1: ${packages[*]}"
  fi
  local installed missing
  installed=$({ dpkg-query -W -f '${Package} ${db:Status-Status}\n' "${packages[@]}" 2>/dev/null || true; } | sed -n 's/ installed$//p' | sort -u)
  missing=$(comm -13 <(printf '%s\n' "$installed") <(printf '%s\n' "${packages[@]}" | sort -u) | paste -sd ' ')
  if [ -z "$missing" ]; then
    say "Debian packages: all here"
    return
  fi
  local as_root=()
  if [ "$(id -u)" -ne 0 ]; then
    command -v sudo >/dev/null ||
      die "Debian packages are missing, and without root or sudo they cannot be installed; ask for: apt-get install --no-install-recommends $missing"
    as_root=(sudo)
  fi
  say "Debian packages: installing $missing"
  # A failed update is told by the install that follows it; stale lists may well suffice.
  "${as_root[@]}" apt-get update -qq || true
  # shellcheck disable=SC2086  # a list of words
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null ||
    die "apt-get could not install the packages; see its words above. Is there a network, is the disk full, is this Debian 12 (bookworm)?"
}

# Checks a LibTorch that was named or found. Nothing else can be wrong with one that setup put there: it is moved into place whole.
check_libtorch() {
  [[ -e $1/lib/libtorch_cpu.so && -d $1/include/torch ]] ||
    die "$1: no LibTorch; expected a wheel's 'torch' folder or an unpacked libtorch, with lib/libtorch_cpu.so and include/torch"
  [ "$flavour" = cpu ] || [ -e "$1/lib/libtorch_cuda.so" ] ||
    die "$1: this LibTorch has no CUDA (lib/libtorch_cuda.so); use --cpu, or name another one"
}

# is_whole FOLDER: whether it holds all that is pinned now; an older one may lack the last of these headers.
is_whole() { [ -d "$1/torch" ] && [ -e "$1/nvidia/cu13/include/crt/host_config.h" ]; }

# fetch_libtorch FOLDER: makes it hold `torch` and `nvidia`, as the wheels have them: LibTorch finds its CUDA libraries by that.
fetch_libtorch() {
  local folder=$1 machine gigabytes=2
  machine=$(uname -m)
  case $machine in
    x86_64 | aarch64) ;;
    arm64) machine=aarch64 ;;
    *) die "there is no LibTorch wheel for $machine, only for x86_64 and aarch64; build LibTorch from source and name it with APO_TORCH_DIR" ;;
  esac
  [ "$flavour" = cpu ] || gigabytes=6
  { mkdir -p "${folder%/*}" && [ -w "${folder%/*}" ]; } || die "cannot write ${folder%/*}; name another folder: XDG_CACHE_HOME=/folder ${0##*/}"
  exec 9>"${folder%/*}/lock"
  flock 9 # two setups at once fetch it once
  ! is_whole "$folder" || return 0
  rm -rf "${folder%/*}"/unpacking.*
  need_space "${folder%/*}" "$gigabytes" "LibTorch ($flavour)"
  staging=$(mktemp -d "${folder%/*}/unpacking.XXXXXX")
  trap 'rm -rf "$staging"' EXIT

  say "LibTorch: downloading $(libtorch_version) ($flavour, $machine), once, into $folder"
  local python=python3 platforms=() tag
  ! /usr/bin/python3 -m pip --version >/dev/null 2>&1 || python=/usr/bin/python3
  # pip takes these tags literally, so each one that a wheel bears is named.
  for tag in manylinux_2_28 manylinux_2_27 manylinux_2_25 manylinux_2_18 manylinux_2_17 manylinux2014; do
    platforms+=(--platform "${tag}_$machine")
  done
  TMPDIR=$staging "$python" -m pip --disable-pip-version-check download --quiet --no-cache-dir --no-deps --require-hashes \
    --only-binary=:all: --python-version 3.12 --implementation cp --abi cp312 "${platforms[@]}" \
    --dest "$staging/wheels" --requirement "$root/scripts/libtorch/$flavour.txt" ||
    die "LibTorch could not be downloaded; see pip's words above. Is there a network? A LibTorch fetched elsewhere can be named: APO_TORCH_DIR=/path/to/torch"

  say "LibTorch: unpacking"
  local wheel kept # dist-info has the licence, which goes where a package takes LibTorch
  mkdir "$staging/whole"
  for wheel in "$staging"/wheels/*.whl; do
    case $wheel in
      */torch-*) kept=('torch/lib/*' 'torch/include/*' '*.dist-info/*') ;;
      *) kept=('nvidia/*' '*.dist-info/*') ;;
    esac
    unzip -q "$wheel" "${kept[@]}" -d "$staging/whole" || die "${wheel##*/} could not be unpacked; is the disk full?"
    rm "$wheel"
  done
  # No part of a C++ program: LibTorch's Python half, static libraries; and, for CPUs, what loads CUDA.
  local libraries=$staging/whole/torch/lib
  rm -f "$libraries"/libtorch_python.so "$staging"/whole/nvidia/cu13/lib/*.a
  [ "$flavour" = cuda ] || rm -f "$libraries"/{libtorch.so,libtorch_cuda*,libc10_cuda.so,libcaffe2_nvrtc.so,libtorch_nvshmem.so}
  rm -rf "$folder"
  mv "$staging/whole" "$folder"
}

# A GPU's driver must be of the pinned LibTorch's CUDA version, 13, or later.
check_driver() {
  local driver
  driver=$(nvidia-smi --query-gpu=driver_version --format=csv,noheader 2>/dev/null | head -1) || return 0
  [ -z "$driver" ] || [ "${driver%%.*}" -ge 580 ] ||
    say "warning: this GPU's driver is $driver; training on it needs 580 or later. Until then use --cpu, or an older LibTorch with APO_TORCH_DIR"
}

choose_flavour "$asked"
say "flavour: $flavour ($reason)"
[ "${APO_NO_PACKAGES:-}" = 1 ] || install_packages
torch=$(torch_dir "$flavour")
if [ -z "${APO_TORCH_DIR:-}" ] && ! is_whole "${torch%/torch}"; then
  fetch_libtorch "${torch%/torch}"
fi
check_libtorch "$torch"
say "LibTorch: $torch"
if [ "$flavour" = cuda ] && [ -z "${APO_TORCH_DIR:-}" ]; then
  check_driver
fi
