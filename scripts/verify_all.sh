#!/usr/bin/env bash
# All the slow checks, one behind the other, also behind one that fails; the table at the end has a line for each.
# Usage: scripts/verify_all.sh [--fuzz-seconds N] [CHECK…]
#   CHECK   of, in this order; default: all
#     asan    all tests under AddressSanitizer and UndefinedBehaviorSanitizer
#     tidy    clang-tidy over the whole tree
#     tsan    what runs on several threads, under ThreadSanitizer
#     fuzz    each reader, mutated files under both sanitizers
#   --fuzz-seconds   of each fuzz target; default: 20
# Exit code 1 where one failed. Their words are in build/verify. Some hours on two cores. Needs scripts/setup.sh --dev.
# shellcheck disable=SC2317  # the checks are called by their names
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

all=(asan tidy tsan fuzz) chosen=() seconds=20
while [ $# -gt 0 ]; do
  case $1 in
    --fuzz-seconds) seconds=${2:?--fuzz-seconds needs a number} && shift ;;
    -h | --help) usage && exit ;;
    -*) die "unknown option '$1'; accepted: --fuzz-seconds N, --help" ;;
    *)
      [[ " ${all[*]} " == *" $1 "* ]] || die "unknown check '$1'; accepted: ${all[*]}"
      chosen+=("$1")
      ;;
  esac
  shift
done
[[ $seconds =~ ^[1-9][0-9]*$ ]] || die "--fuzz-seconds $seconds: accepted: 1, 2, …"
[ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")

cd "$root"
logs=build/verify
mkdir -p "$logs"

asan() { scripts/test.sh --cpu --preset asan; }
tidy() {
  # What is built is not looked at again; other checks look at all.
  [ ! .clang-tidy -nt build/tidy/build.ninja ] || rm -rf build/tidy
  scripts/build.sh --cpu --preset tidy
}
tsan() { scripts/test.sh --cpu --preset tsan; }
fuzz() { scripts/fuzz.sh "$seconds"; }

code=0 table=''
for check in "${all[@]}"; do
  [[ " ${chosen[*]} " == *" $check "* ]] || continue
  say "$check: its words go to $logs/$check.log"
  begin=$SECONDS status=0 verdict=passed
  set +e # within a condition, a check's own errors would not end it
  (
    set -e
    "$check"
  ) >"$logs/$check.log" 2>&1
  status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    code=1 verdict=FAILED
    tail -15 "$logs/$check.log" >&2
  fi
  last=$(grep -v '^$' "$logs/$check.log" | tail -1 | cut -c1-80 || true)
  table+=$(printf '%-5s %-7s %6s s  %s' "$check" "$verdict" "$((SECONDS - begin))" "$last")$'\n'
done
printf '%s' "$table"
exit "$code"
