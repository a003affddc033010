# shellcheck shell=bash
# Shared by the scripts: messages, the choice of flavour, folders, parallelism. Sourced, never run.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

say() { printf '== %s\n' "$*"; }

die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# The comment at the head of the calling script.
usage() { sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"; }

# help_or_words ACCEPTED WORD…: answers --help; refuses an option. For scripts without options of their own; ACCEPTED says what their
# words are.
help_or_words() {
  local accepted=$1 word
  shift
  for word in "$@"; do
    case $word in
      -h | --help) usage && exit ;;
      -*) die "unknown option '$word'; accepted: $accepted, --help" ;;
    esac
  done
}

# train_once RUNS NAME CONFIG [apo-train's options…]: trains configs/CONFIG.yaml into RUNS/NAME unless it is there already, ended
# by itself; goes on with one that was interrupted. A grid and a population have a file of their own for that.
# Returns apo-train's exit code. Environment: APO_TRAIN, the program.
train_once() {
  local runs=$1 name=$2 config=$3
  shift 3
  if ended "$runs/$name"; then
    echo "$name: kept"
    return
  fi
  "${APO_TRAIN:-$root/build/default/bin/apo-train}" --config "$root/configs/$config.yaml" --set "name=$name" --output "$runs" \
    --resume "$@"
}

paper() { "${PYTHON:-python3}" "$root/scripts/paper" "$@"; }

# begin FOLDER CONFIG [SCALE]: notes beside the folder of a run with which configuration it is begun; one that has ended keeps its note.
begin() {
  mkdir -p "${1%/*}"
  if ! ended "$1"; then paper hash "${@:2}" >"$1.config"; fi
}

# ended FOLDER: whether a run, a grid or a population ended there, not interrupted; a grid with all its runs.
ended() {
  local file
  for file in grid population summary; do
    [ ! -e "$1/$file.json" ] || { ! grep -q -e '"status": *"interrupted"' -e '"left": *\[$' "$1/$file.json" && return; }
  done
  return 1
}

# choose_flavour [cpu|cuda]: sets `flavour`, and `reason` to a few words for the reader.
# shellcheck disable=SC2034  # both are read by the scripts that source this
choose_flavour() {
  if [ -n "${1:-}" ]; then
    flavour=$1 reason="asked for with --$1"
  elif [ -n "${APO_TORCH_DIR:-}" ]; then
    if [ -e "$APO_TORCH_DIR/lib/libtorch_cuda.so" ]; then
      flavour=cuda reason="the LibTorch in APO_TORCH_DIR has CUDA"
    else
      flavour=cpu reason="the LibTorch in APO_TORCH_DIR has no CUDA"
    fi
  elif nvidia-smi -L >/dev/null 2>&1 || [ -e /dev/nvidia0 ]; then
    flavour=cuda reason="an NVIDIA device is here; --cpu for a smaller download"
  elif command -v nvcc >/dev/null || [ -d /usr/local/cuda ]; then
    flavour=cuda reason="a CUDA toolkit is here; --cpu for a smaller download"
  else
    flavour=cpu reason="neither an NVIDIA device nor a CUDA toolkit is here"
  fi
}

libtorch_version() { sed -n 's/^torch==\([0-9.]*\).*/\1/p' "$root/scripts/libtorch/cpu.txt"; }

# torch_dir cpu|cuda: the user's LibTorch, or where setup.sh puts the pinned one.
torch_dir() {
  local cache=${XDG_CACHE_HOME:-$HOME/.cache}
  printf '%s\n' "${APO_TORCH_DIR:-$cache/apo-train/libtorch-$(libtorch_version)-$1/torch}"
}

# group_limits CONTROLLER FILE_1 FILE_2 [ROOT]: the lines that FILE_1 (version 1 of control groups) or FILE_2 (version 2) hold in
# our group and in all above it, as far as they can be seen: a batch system sets limits several levels below the root.
group_limits() {
  local controller=$1 file_1=$2 file_2=$3 root=${4:-} names path folder file
  while IFS=: read -r _ names path; do
    case ,$names, in
      ,,) folder=$root/sys/fs/cgroup file=$file_2 ;;
      *,"$controller",*) folder=$root/sys/fs/cgroup/$controller file=$file_1 ;;
      *) continue ;;
    esac
    while path=${path%/}; do
      [ ! -r "$folder$path/$file" ] || cat "$folder$path/$file"
      [ -n "$path" ] || break
      path=${path%/*}
    done
  done <"$root/proc/self/cgroup"
}

# Parallel compilations: the cores this process may use, at about 2 GB each of the memory it may use.
jobs_that_fit() {
  local kib cores limit
  kib=$(awk '/^MemAvailable:/ {print $2}' /proc/meminfo)
  cores=$(env -u OMP_NUM_THREADS nproc)
  for limit in $(group_limits memory memory.limit_in_bytes memory.max); do
    [ "$limit" = max ] || [ $((limit / 1024)) -ge "$kib" ] || kib=$((limit / 1024))
  done
  local fit=$((kib / 2000000))
  [ "$fit" -lt "$cores" ] || fit=$cores
  [ "$fit" -ge 1 ] || fit=1
  printf '%s\n' "$fit"
}
