#!/usr/bin/env bash
# Builds apo-train with its tests and runs them all. The last line counts them.
# Usage: scripts/test.sh [--cpu|--cuda] [--preset NAME]
#   --cpu, --cuda, --preset   see scripts/build.sh
# Packages of Python that tests have on the other side (tests/requirements.txt) are fetched once into the cache; without them those
# tests are skipped.
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

# peers PYTHON: a folder with what tests/requirements.txt names, for that Python; nothing where it could not be fetched.
peers() {
  local folder
  folder=${XDG_CACHE_HOME:-$HOME/.cache}/apo-train/peers-$({ "$1" --version && cat tests/requirements.txt; } | sha256sum | cut -c1-12)
  if [ ! -e "$folder/whole" ]; then
    say "Python packages for tests, once: $folder" >&2
    rm -rf "$folder"
    "$1" -m pip --disable-pip-version-check install --quiet --root-user-action ignore --target "$folder" --requirement tests/requirements.txt >&2 ||
      { say "warning: they could not be fetched; what is compared with them is left out" >&2 && return; }
    touch "$folder/whole"
  fi
  printf '%s\n' "$folder"
}

python=$(sed -n 's/^APO_PYTHON:FILEPATH=//p' "build/$preset/CMakeCache.txt")
PYTHONPATH=$(peers "$python")${PYTHONPATH:+:$PYTHONPATH}
export PYTHONPATH
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
