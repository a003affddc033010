#!/usr/bin/env bash
# Builds the fuzz targets and feeds each with mutations of its corpus, under AddressSanitizer and UndefinedBehaviorSanitizer.
# The last lines count what was run and found; findings lie in fuzz/crashes.
# Usage: scripts/fuzz.sh [SECONDS] [TARGET…]
#   SECONDS   of each target; default: 600
#   TARGET    of: fuzz/*_fuzz.cpp, such as config; default: all
# What is found on the way is kept in build/fuzz/found, where the next run begins.
# Needs clang: scripts/setup.sh --dev
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

help_or_words "[SECONDS] [TARGET…]" "$@"
seconds=${1:-600}
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "'$seconds' is no number of seconds"
shift || true
targets=("$@")
if [ $# -eq 0 ]; then
  for file in "$root"/fuzz/*_fuzz.cpp; do
    target=${file##*/} && targets+=("${target%_fuzz.cpp}")
  done
fi
command -v clang++-14 >/dev/null || die "clang++-14 is missing: scripts/setup.sh --dev"

"$root/scripts/build.sh" --cpu --preset fuzz --target fuzz
cd "$root"
mkdir -p fuzz/crashes

# fuzz TARGET: prints one line; returns 1 where there is a finding.
fuzz() {
  local target=$1 found=build/fuzz/found/$1 log=build/fuzz/$1.log options=() findings executions edges
  [ -x "build/fuzz/fuzz/${target}_fuzz" ] || die "there is no target '$target'"
  [ ! -e "fuzz/$target.dict" ] || options+=("-dict=fuzz/$target.dict")
  mkdir -p "$found"
  OMP_NUM_THREADS=1 "build/fuzz/fuzz/${target}_fuzz" "$found" "fuzz/corpus/$target" -artifact_prefix="fuzz/crashes/$target-" \
    -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1500 -max_len=16384 -print_final_stats=1 "${options[@]}" >"$log" 2>&1 || true
  findings=$(grep -c 'Test unit written to' "$log" || true)
  executions=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  edges=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
  echo "$target: ${executions:-0} executions, ${edges:-0} edges, ${seconds} s, $findings findings"
  [ -n "$executions" ] || die "$target did not run; see $log"
  [ "$findings" -eq 0 ]
}

code=0
for target in "${targets[@]}"; do fuzz "$target" || code=1; done
exit "$code"
