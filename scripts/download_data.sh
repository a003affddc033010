#!/usr/bin/env bash
# Fetches the official files of data sets and checks them.
set -euo pipefail

readonly NAMES="mnist fashion_mnist cifar10 cifar100 svhn"

usage() {
  cat <<EOF
usage: scripts/download_data.sh NAME... [--root DIR] [--mirror URL] [--checksums FILE]

Fetches the official files of the data sets NAME ($NAMES)
to where apo-train looks for them, and checks them. What is there and whole is not fetched again;
what was cut off goes on where it stopped.

  --root DIR        where to put them (default: \$APO_DATA_ROOT, else data)
  --mirror URL      the folder to fetch from instead of the official one
  --checksums FILE  lines "MD5  FILE" that replace the built-in checksums of these files
  --help            this text

Exit codes: 0 done, 1 could not be fetched or is not what was expected, 2 wrong usage.
EOF
}

fail() {
  echo "download_data.sh: $1" >&2
  exit "${2:-1}"
}

# One row a file: data set, folder below the root, file, MD5. The checksums are those that
# torchvision publishes.
files() {
  cat <<EOF
mnist mnist train-images-idx3-ubyte.gz f68b3c2dcbeaaa9fbdd348bbdeb94873
mnist mnist train-labels-idx1-ubyte.gz d53e105ee54ea40749a09fcbcd1e9432
mnist mnist t10k-images-idx3-ubyte.gz 9fb629c4189551a2d022fa330f9573f3
mnist mnist t10k-labels-idx1-ubyte.gz ec29112dd5afa0611ce80d1b7f02629c
fashion_mnist fashion-mnist train-images-idx3-ubyte.gz 8d4fb7e6c68d591d4c3dfef9ec88bf0d
fashion_mnist fashion-mnist train-labels-idx1-ubyte.gz 25c81989df183df01b3e8a0aad5dffbe
fashion_mnist fashion-mnist t10k-images-idx3-ubyte.gz bef4ecab320f06d8554ea6380940ec79
fashion_mnist fashion-mnist t10k-labels-idx1-ubyte.gz bb300cfdad3c16e7a12a480ee83cd310
cifar10 . cifar-10-binary.tar.gz c32a1d4ab5d03f1284b67883e8d87530
cifar100 . cifar-100-binary.tar.gz 03b5dce01913d631647c71ecec9e9cb8
svhn svhn train_32x32.mat e26dedcc434d2e4c54c9b2d4a06d8373
svhn svhn test_32x32.mat eb5a983be6a315427106f1b164d9cef3
EOF
}

official_folder() {
  case "$1" in
    mnist) echo https://ossci-datasets.s3.amazonaws.com/mnist ;;
    fashion_mnist) echo http://fashion-mnist.s3-website.eu-central-1.amazonaws.com ;;
    cifar10 | cifar100) echo https://www.cs.toronto.edu/~kriz ;;
    svhn) echo http://ufldl.stanford.edu/housenumbers ;;
  esac
}

# What an archive unpacks to; the file whose presence tells that it was.
unpacked() {
  case "$1" in
    cifar-10-binary.tar.gz) echo cifar-10-batches-bin/test_batch.bin ;;
    cifar-100-binary.tar.gz) echo cifar-100-binary/test.bin ;;
  esac
}

# checksum FILE BUILT_IN: the row of --checksums, else the built-in one.
checksum() {
  local own=""
  if [[ -n "$checksums" ]]; then
    own=$(awk -v name="$1" '$2 == name { print $1; exit }' "$checksums")
  fi
  echo "${own:-$2}"
}

is_whole() { # PATH MD5
  [[ -f "$1" && "$(md5sum <"$1" | cut -d' ' -f1)" == "$2" ]]
}

transfer() { # URL PART: goes on where the part ends
  local progress=--silent
  [[ -t 2 ]] && progress=--progress-bar
  curl --fail --location "$progress" --retry 3 --connect-timeout 20 \
    --speed-limit 1 --speed-time 60 --continue-at - --output "$2" "$1"
}

# fetch URL PATH MD5: atomic; a part that was cut off is kept and resumed.
fetch() {
  local url=$1 part=$2.part md5=$3 resumed="" status=0
  [[ -s "$part" ]] && resumed=yes
  echo "fetching $url${resumed:+, going on after byte $(stat -c %s "$part")}"
  transfer "$url" "$part" || status=$?
  if [[ -n "$resumed" && " 0 22 33 36 " == *" $status "* ]] && ! is_whole "$part" "$md5"; then
    echo "what was kept of $url does not fit; starting afresh"
    rm -f "$part"
    status=0
    transfer "$url" "$part" || status=$?
  fi
  if ! is_whole "$part" "$md5"; then
    [[ $status == 0 ]] || explain "$status" "$url" "$part"
    rm -f "$part"
    fail "$url is not the official file (its MD5 is not $md5); nothing was kept, name another \
source with --mirror URL"
  fi
  mv "$part" "$2"
}

# explain STATUS URL PART: ends with what curl's exit status means.
explain() {
  local kept=""
  if [[ -s "$3" ]]; then kept="; what came is kept, run the same command to go on"; fi
  case "$1" in
    5 | 6 | 7)
      fail "no connection to $2; check the network, or name another source with --mirror URL"
      ;;
    22) fail "the server does not give $2; name another source with --mirror URL" ;;
    18 | 28 | 52 | 56) fail "the connection broke while fetching $2$kept" ;;
    23) fail "cannot write $3; is the disk full?" ;;
    *) fail "fetching $2 failed (curl's exit code $1)$kept" ;;
  esac
}

# Unpacks beside its place first, so that a cut-off run leaves nothing half unpacked there.
unpack() { # ARCHIVE ROOT TOLD_BY
  local folder=${3%%/*}
  [[ -f "$2/$3" ]] && return
  [[ ! -e "$2/$folder" ]] ||
    fail "$2/$folder is there but lacks ${3#*/}; move it away and run the same command"
  scratch=$(mktemp -d "$2/.unpack-XXXXXX")
  if ! tar -xzf "$1" -C "$scratch" --no-same-owner 2>/dev/null || [[ ! -f "$scratch/$3" ]]; then
    fail "$1 cannot be unpacked; expected $3 in it"
  fi
  mv "$scratch/$folder" "$2/$folder"
  rm -rf "$scratch"
}

download() { # NAME
  local base set folder file md5 path told_by
  base=${mirror:-$(official_folder "$1")}
  while read -r set folder file md5; do
    [[ "$set" == "$1" ]] || continue
    md5=$(checksum "$file" "$md5")
    mkdir -p "$root/$folder" 2>/dev/null || fail "cannot make the folder $root/$folder"
    path=$root/$folder/$file
    [[ "$folder" == . ]] && path=$root/$file
    if is_whole "$path" "$md5"; then
      echo "$path is there and whole"
    else
      fetch "${base%/}/$file" "$path" "$md5"
    fi
    told_by=$(unpacked "$file")
    if [[ -n "$told_by" ]]; then unpack "$path" "$root" "$told_by"; fi
  done < <(files)
  echo "$1 is ready under $root"
}

scratch=""
trap 'rm -rf "$scratch"' EXIT
root=${APO_DATA_ROOT:-data}
mirror=""
checksums=""
chosen=()
while (($# > 0)); do
  case "$1" in
    --help | -h)
      usage
      exit 0
      ;;
    --root | --mirror | --checksums)
      (($# > 1)) || fail "$1 needs a value" 2
      printf -v "${1#--}" %s "$2"
      shift
      ;;
    -*) fail "unknown option $1; accepted are --root, --mirror, --checksums and --help" 2 ;;
    *)
      [[ -n "$(official_folder "$1")" ]] ||
        fail "unknown data set '$1'; accepted are ${NAMES// /, }" 2
      chosen+=("$1")
      ;;
  esac
  shift
done
((${#chosen[@]} > 0)) || fail "which data set? accepted are ${NAMES// /, }" 2
[[ -z "$checksums" || -r "$checksums" ]] || fail "cannot read the checksums file $checksums" 2
command -v curl >/dev/null || fail "curl is needed; install it with: apt-get install curl"

for name in "${chosen[@]}"; do download "$name"; done
