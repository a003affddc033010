#!/usr/bin/env bash
# Packs a folder that runs elsewhere: what an archive of scripts/package.sh holds, the tests, the benchmark.
# LibTorch is found there, as cmake/launcher.sh says.
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

preset=${APO_PRESET:-package}
choose_flavour "$asked"
scripts/build.sh "--$flavour" --preset "$preset"
for component in program libraries tests; do
  cmake --install "build/$preset" --prefix "$folder" --component "$component" --strip >/dev/null
done
# Where scripts/gpu_check.sh looks.
for name in apo-train apo-tests; do ln -s bin/apo-train "$folder/$name"; done
ln -s share/apo-train/configs "$folder/configs"
mkdir -p "$folder"/{scripts,benchmarks}
cp scripts/{gpu_check,common}.sh "$folder/scripts/"
cp -r scripts/paper "$folder/scripts/"
cp benchmarks/*.py "$folder/benchmarks/"
cp README.md "$folder/"
read -r libtorch _ <"$folder/lib/apo-train/libtorch-version"
say "$folder: $(du -sh "$folder" | cut -f1); LibTorch $libtorch is found where it runs"
