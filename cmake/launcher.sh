#!/bin/sh
# Starts the program of this name in ../lib/apo-train with a LibTorch: $APO_TORCH_DIR, or the one that lies beside the program, or
# that of the python3 (or $PYTHON) that is found.
# A script, and no path in the program: where a Python keeps its PyTorch is known only where it runs, and of another version than the
# program was built with the dynamic linker would say no more than a missing symbol.
set -eu

name=$(basename "$0")
here=$(dirname "$(readlink -f "$0")")
lib=$(dirname "$here")/lib/apo-train
[ -e "$lib" ] || lib=$here/lib/apo-train # scripts/bundle.sh's folder, copied with files in the place of links
[ -e "$lib/$name" ] || name=apo-train # called through a link of another name

refuse() {
  echo "$name: error: $1" >&2
  exit 3
}

version_of() {
  cat "$1/include/torch/headeronly/version.h" "$1/include/torch/csrc/api/include/torch/version.h" 2>/dev/null |
    sed -nE 's/^#define TORCH_VERSION_(MAJOR|MINOR|PATCH) //p' | paste -sd .
}

# check FOLDER WHERE: one that did not come with the program.
check() {
  [ -e "$1/lib/libtorch_cpu.so" ] || refuse "$1, $2: no LibTorch, which has lib/libtorch_cpu.so"
  found=$(version_of "$1")
  [ "$found" = "$version" ] ||
    refuse "$1, $2: LibTorch ${found:-of an unknown version}, and this program was built with $version; pip install torch==$version, or name another folder 'torch' with APO_TORCH_DIR"
  [ -e "$1/lib/$library" ] ||
    refuse "$1, $2: no $library; this program was built for GPUs, and wants a PyTorch that is: not one of pytorch.org's +cpu wheels"
}

read -r version library <"$lib/libtorch-version"
python=${PYTHON:-python3}
if [ -n "${APO_TORCH_DIR:-}" ]; then
  torch=$APO_TORCH_DIR
  check "$torch" "named by APO_TORCH_DIR"
elif [ -e "$lib/torch/lib/libtorch_cpu.so" ]; then
  torch=$lib/torch
else
  torch=$("$python" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null) ||
    refuse "no LibTorch; install PyTorch $version for $python, or name its folder 'torch' with APO_TORCH_DIR"
  check "$torch" "of $python"
fi
export LD_LIBRARY_PATH="$lib:$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$lib/$name" "$@"
