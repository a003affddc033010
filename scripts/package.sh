#!/usr/bin/env bash
# Makes a package of the program in build/packages, for this kind of machine; docs/install.md says what each is for.
# Usage: scripts/package.sh archive|deb|wheel [--cpu|--cuda] [--with-libtorch]
#   archive          a .tar.gz that runs wherever it is unpacked
#   deb              a Debian package, with LibTorch in it
#   wheel            for pip, beside PyTorch
#   --cpu, --cuda    see scripts/setup.sh; a program for GPUs runs with a LibTorch for GPUs alone, one for CPUs with any
#   --with-libtorch  the archive holds LibTorch too; else the launcher finds one where it runs
# Environment: APO_PRESET, a preset of CMakePresets.json; default: package, which has no MPI
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kind='' asked='' with_libtorch=
while [ $# -gt 0 ]; do
  case $1 in
    archive | deb | wheel) kind=$1 ;;
    --cpu | --cuda) asked=${1#--} ;;
    --with-libtorch) with_libtorch=1 ;;
    -h | --help) usage && exit ;;
    *) die "unknown option '$1'; accepted: archive, deb, wheel, --cpu, --cuda, --with-libtorch, --help" ;;
  esac
  shift
done
[ -n "$kind" ] || die "which package? accepted: archive, deb, wheel"
[ -z "$with_libtorch" ] || [ "$kind" = archive ] || die "--with-libtorch: for an archive; a .deb always holds LibTorch, a wheel never"
if [ "$kind" = deb ] && ! command -v dpkg-shlibdeps >/dev/null; then
  die "dpkg-shlibdeps is missing, which reads a program's dependencies; apt-get install dpkg-dev"
fi

preset=${APO_PRESET:-package}
choose_flavour "$asked"
"$root/scripts/build.sh" "--$flavour" --preset "$preset" --target apo-train
build=$root/build/$preset packages=$root/build/packages machine=$(uname -m)
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
read -r libtorch _ <"$build/libtorch-version"
mkdir -p "$packages"

# pack GENERATOR COMPONENTS [cpack's options…]: says what it made.
pack() {
  say "pack: $2"
  cpack --config "$build/CPackConfig.cmake" -B "$packages" -G "$1" -D "CPACK_COMPONENTS_ALL=$2" "${@:3}" >"$packages/cpack.log" ||
    die "cpack failed: $(tail -n 5 "$packages/cpack.log")"
  made=$(sed -n 's/^CPack: - package: \(.*\) generated\.$/\1/p' "$packages/cpack.log")
  rm -r "$packages/_CPack_Packages" "$packages/cpack.log"
}

# Debian's packages that the program needs. Not CPACK_DEBIAN_PACKAGE_SHLIBDEPS, which would ask for those of LibTorch's libraries too:
# some of CUDA's are for hardware that nobody here has, and name libraries that are not there.
debian_dependencies() {
  local scratch
  scratch=$(mktemp -d)
  mkdir "$scratch/debian"
  touch "$scratch/debian/control" # which it wants to see
  (cd "$scratch" && dpkg-shlibdeps --ignore-missing-info "-l$(torch_dir "$flavour")/lib" -O "$build/bin/apo-train" 2>errors) ||
    die "dpkg-shlibdeps failed: $(cat "$scratch/errors")"
  rm -r "$scratch"
}

# The wheel's tag: the C library that the program asks for, 2.35 at least, which is as old as the C++ library that it asks for
# (GLIBCXX_3.4.30).
wheel_tag() {
  local needed
  needed=$(find "$1" -type f -exec objdump -T {} + 2>/dev/null | grep -o 'GLIBC_2\.[0-9]*' | sed 's/GLIBC_//' | sort -uV | tail -n 1)
  needed=$(printf '%s\n' 2.35 "$needed" | sort -V | tail -n 1)
  printf 'manylinux_%s_%s\n' "${needed/./_}" "$machine"
}

# python/ with the program in it, as an installed folder.
pack_wheel() {
  local staging=$packages/wheel python=python3 component
  ! /usr/bin/python3 -m pip --version >/dev/null 2>&1 || python=/usr/bin/python3
  rm -rf "$staging"
  cp -r "$root/python" "$staging"
  cp "$root/LICENSE" "$staging/"
  for component in program libraries; do
    cmake --install "$build" --prefix "$staging/apo_train/program" --component "$component" --strip >/dev/null
  done
  # As PyTorch's: a program without CUDA has +cpu.
  if [ "$flavour" = cpu ]; then version+=+cpu; fi
  echo "$version" >"$staging/VERSION"
  echo "torch==$libtorch" >"$staging/requirements.txt"
  "$python" -m pip wheel --quiet --no-deps --wheel-dir "$packages" \
    --config-settings "--build-option=--plat-name=$(wheel_tag "$staging/apo_train/program/lib")" "$staging" ||
    die "pip could not make the wheel; see its words above"
  rm -r "$staging"
  made=$(ls "$packages/apo_train-$version"-*.whl)
}

case $kind in
  archive)
    name=apo-train-$version-linux-$machine-$flavour components='program;pages;libraries'
    if [ -n "$with_libtorch" ]; then name+=-libtorch components+=';libtorch'; fi
    pack TGZ "$components" -D "CPACK_PACKAGE_FILE_NAME=$name" -D CPACK_COMPONENT_INCLUDE_TOPLEVEL_DIRECTORY=ON
    ;;
  deb)
    depends=$(debian_dependencies)
    pack DEB 'program;pages;libtorch' -D "CPACK_DEBIAN_PACKAGE_DEPENDS=${depends#shlibs:Depends=}"
    ;;
  wheel) pack_wheel ;;
esac
say "$made: $(du -h "$made" | cut -f1)"
