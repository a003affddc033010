#!/usr/bin/env bash
# Formats the tracked C++ files with clang-format 14, whose output CI compares.
# Usage: scripts/format.sh [--check]
#   --check   change nothing; fail where a file is not formatted
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

mode=(-i)
case ${1:-} in
  '') ;;
  --check) mode=(--dry-run -Werror) ;;
  -h | --help) usage && exit ;;
  *) die "unknown option '$1'; accepted: --check, --help" ;;
esac

formatter=$(command -v clang-format-14 || command -v clang-format) || die "clang-format is missing: scripts/setup.sh --dev"
"$formatter" --version | grep -q 'version 14\.' || die "$formatter is not version 14, which formats as CI does: scripts/setup.sh --dev"
cd "$root"
git ls-files -z '*.cpp' '*.h' '*.cu' '*.cuh' | xargs -0 -r "$formatter" "${mode[@]}" ||
  die "some files are not formatted (above); scripts/format.sh does it"
