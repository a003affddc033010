#!/usr/bin/env bash
# Runs the tests on an instrumented build and fails where they cover too few lines of lib/.
# Usage: scripts/coverage.sh [--cpu|--cuda] [PERCENT]
#   PERCENT   of lines that must be covered; default: 85
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

percent=85 options=(--preset coverage)
while [ $# -gt 0 ]; do
  case $1 in
    --cpu | --cuda) options+=("$1") ;;
    -h | --help) usage && exit ;;
    *[!0-9]*) die "'$1' is neither an option nor a percentage; accepted: --cpu, --cuda, PERCENT, --help" ;;
    *) percent=$1 ;;
  esac
  shift
done

"$root/scripts/setup.sh" --dev "${options[@]:2}"
# Counts of an earlier run would be added to this one's.
[ ! -d "$root/build/coverage" ] || find "$root/build/coverage" -name '*.gcda' -delete
"$root/scripts/test.sh" "${options[@]}"
say "coverage of lib/: at least $percent % of lines"
cd "$root"
gcovr --root . --filter lib/ --exclude-throw-branches --print-summary --fail-under-line "$percent" build/coverage ||
  die "fewer than $percent % of the lines of lib/ are covered; the table shows which"
