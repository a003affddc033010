#!/usr/bin/env bash
# Builds apo-train with its tests and runs them all. The last line counts them.
# Usage: scripts/test.sh [--cpu|--cuda] [--preset NAME]
#   --cpu, --cuda, --preset   see scripts/build.sh
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

preset=default options=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --preset) preset=${2:?--preset needs a name} && shift ;;
    --cpu | --cuda) ;;
    -h | --help) usage && exit ;;
    *) die "unknown option '$1'; accepted: --cpu, --cuda, --preset NAME, --help" ;;
  esac
  shift
done

"$root/scripts/build.sh" "${options[@]}"
cd "$root"
say "test: build/$preset"
results=build/$preset/test-results.xml
rm -f "$results"
code=0
# Tests run beside each other: spinning OpenMP threads would only steal each other's cores.
OMP_WAIT_POLICY=passive ctest --preset "$preset" -j "$(nproc)" --no-tests=error --output-junit "$root/$results" || code=$?
[ -e "$results" ] || die "ctest ended with code $code before it wrote its results"

# What neither passed nor says itself why it was skipped has failed: a missing program too, which ctest files under skipped.
count() { grep -c "$1" "$results" || true; }
passed=$(count '<testcase .* status="run"')
skipped=$(($(count '<skipped message="SKIP_') + $(count '<testcase .* status="disabled"')))
failed=$(($(count '<testcase ') - passed - skipped))
[ "$skipped" -eq 0 ] && tail='' || tail=", $skipped skipped"
echo "$passed passed, $failed failed$tail"
[ "$failed" -eq 0 ] || exit 1
exit "$code"
