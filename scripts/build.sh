#!/usr/bin/env bash
# Builds apo-train: setup, configure, compile into build/PRESET.
# Usage: scripts/build.sh [--cpu|--cuda] [--preset NAME] [--target NAME]
#   --cpu, --cuda    see scripts/setup.sh
#   --preset NAME    a preset of CMakePresets.json: default, package, dev, asan, tsan, coverage, tidy; default: default
#   --target NAME    only this target, such as apo-train
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

asked='' preset=default targets=()
while [ $# -gt 0 ]; do
  case $1 in
    --cpu | --cuda) asked=${1#--} ;;
    --preset) preset=${2:?--preset needs a name} && shift ;;
    --target) targets=(--target "${2:?--target needs a name}") && shift ;;
    -h | --help) usage && exit ;;
    *) die "unknown option '$1'; accepted: --cpu, --cuda, --preset NAME, --target NAME, --help" ;;
  esac
  shift
done

choose_flavour "$asked"
"$root/scripts/setup.sh" ${asked:+"--$asked"}
cd "$root"
[ "$flavour" = cuda ] && cuda=ON || cuda=OFF
say "configure: build/$preset"
cmake --preset "$preset" --log-level=WARNING -DAPO_CUDA="$cuda" -DAPO_TORCH_DIR="$(torch_dir "$flavour")" >/dev/null ||
  die "CMake could not configure; see its words above. After a change of compiler or CMake, delete build/$preset and run again"
jobs=$(jobs_that_fit)
say "compile: build/$preset, $jobs at a time"
cmake --build "build/$preset" -j "$jobs" "${targets[@]}" ||
  die "the build failed; see the first error above. If a compiler was killed, memory was short: close other programs and run again"
