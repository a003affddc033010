#!/usr/bin/env bash
# Packs a folder that runs elsewhere: the program, its tests, the small libraries that they need, configurations, the benchmark.
# LibTorch is found there, of the version it was built with: in $APO_TORCH_DIR, or that of a Python that has PyTorch.
# Usage: scripts/bundle.sh [--cpu|--cuda] [FOLDER]
#   --cpu, --cuda   see scripts/setup.sh; a machine with a GPU wants --cuda
#   FOLDER          default: build/bundle; it must not exist
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh

asked='' folder=build/bundle
while [ $# -gt 0 ]; do
  case $1 in
    --cpu | --cuda) asked=${1#--} ;;
    -h | --help) usage && exit ;;
    -*) die "unknown option '$1'; accepted: --cpu, --cuda, --help" ;;
    *) folder=$1 ;;
  esac
  shift
done
[ ! -e "$folder" ] || die "$folder is there already; remove it, or name another folder"

preset=${APO_PRESET:-default}
choose_flavour "$asked"
scripts/build.sh "--$flavour" --preset "$preset"
mkdir -p "$folder"/{bin,lib,scripts,benchmarks}
cp "build/$preset/bin/apo-train" "build/$preset/tests/apo-tests" "$folder/bin/"
strip "$folder"/bin/*

# All libraries but LibTorch's own, which are found through the environment, and the compiler's, which every machine has: this
# machine's may want a newer C library than is there.
ldd "$folder"/bin/* | awk '$2 == "=>" && $3 ~ /^\// {print $3}' | sort -u | grep -v -F -e "$(torch_dir "$flavour")/" -e /nvidia/ |
  grep -v -E '/(libc|libm|libdl|libresolv|librt|libpthread|libutil|ld-linux.*|libstdc\+\+|libgcc_s)\.so' | xargs cp -Lt "$folder/lib"

cp -r configs "$folder/"
cp scripts/{gpu_check,common}.sh "$folder/scripts/"
cp -r scripts/paper "$folder/scripts/"
cp benchmarks/*.py "$folder/benchmarks/"
cp LICENSE README.md "$folder/"
libtorch_version >"$folder/libtorch-version"
cat >"$folder/apo-train" <<'LAUNCHER'
#!/bin/sh
# Runs bin/$0 with the LibTorch of this machine: $APO_TORCH_DIR, or that of the python3 (or $PYTHON) that is found.
here=$(dirname "$(readlink -f "$0")")
torch=${APO_TORCH_DIR:-$("${PYTHON:-python3}" -c 'import importlib.util as u; print(u.find_spec("torch").submodule_search_locations[0])' 2>/dev/null)}
if [ ! -e "$torch/lib/libtorch_cpu.so" ]; then
  echo "$(basename "$0"): error: no LibTorch; install PyTorch $(cat "$here/libtorch-version") for ${PYTHON:-python3}, or name its folder 'torch' with APO_TORCH_DIR" >&2
  exit 3
fi
export LD_LIBRARY_PATH="$here/lib:$torch/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
exec "$here/bin/$(basename "$0")" "$@"
LAUNCHER
chmod +x "$folder/apo-train"
ln -s apo-train "$folder/apo-tests"
say "$folder: $(du -sh "$folder" | cut -f1); LibTorch $(cat "$folder/libtorch-version") is found where it runs"
