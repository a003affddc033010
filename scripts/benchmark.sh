#!/usr/bin/env bash
# Measures speed: against PyTorch in turns, and the pieces of a step alone. Wants a machine with nothing else to do.
# Usage: scripts/benchmark.sh [compare [OPTION…] | lean [FOLDER] | average [FOLDER] | scaling | mapped | ranks | network | pieces [OPTION…] | merge FOLDER | page]
#   compare   the default: apo-train and PyTorch run alternately; results/performance.json and docs/performance.md are written.
#             Options are those of benchmarks/compare.py: --models mlp,cnn,resnet18,resnet34, --runs REGEX, --rounds N, --threads N, --device cuda, --precision P
#   pieces    update rules, meta gradient, batches, trace, checkpoint; options are Google Benchmark's
#   lean      what lean meta steps cost in loss: the grids of configs/lean/ into results/lean.json; 20 minutes.
#             FOLDER is that of the runs; default: runs/lean
#   average   what averaged weights add: the grids of configs/average/ into results/average.json and docs/average.md; 20 minutes.
#             FOLDER as above, runs/average; needs Fashion-MNIST ($FASHION_MNIST_ROOT) and CIFAR-10 ($APO_DATA_ROOT)
#   scaling   an MLP from 10 to 10,000 units and batches from 10 to 10,000, into results/scaling.json; a few minutes, 8 GB of memory
#   mapped    sets that stay in their file against the same in memory, and the memory that one of 2 GiB takes, into results/mapped.json; five minutes
#   ranks     two ranks on two cores against one with two threads, and PyTorch's DistributedDataParallel, into results/ranks.json and docs/scaling.md;
#             ten minutes, with Open MPI
#   network   what sums over ranks cost on slow networks, which are made of namespaces: into results/network.json and docs/scaling.md; ten minutes, as root,
#             with Open MPI and iproute2
#   merge     takes over what scripts/gpu_check.sh has measured on another machine: the folder that it wrote
#   page      only docs/performance.md, from results/performance.json
# Environment:
#   PEER_PYTHON   a Python with torch and torchvision; default: one is made in ~/.cache/apo-train, 3 GB to download; "none" measures
#                 apo-train alone
#   APO_TRAIN     a program that is built already
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
numbers=results/performance.json

# Built with the program's preset, beside it.
build() { scripts/build.sh --target "$1" >&2; }

# peer_python: the path of a Python that has what benchmarks/requirements.txt names.
peer_python() {
  local folder=${XDG_CACHE_HOME:-$HOME/.cache}/apo-train/peer
  if [ ! -e "$folder/whole" ]; then
    say "PyTorch for comparison, once: $folder" >&2
    rm -rf "$folder"
    python3 -m venv "$folder" >&2 || die "no virtual environment could be made; apt-get install python3-venv"
    "$folder/bin/pip" install --quiet --requirement benchmarks/requirements.txt >&2
    touch "$folder/whole"
  fi
  printf '%s\n' "$folder/bin/python"
}

# Sets PEER_PYTHON, or takes it away where none is wanted.
peers() {
  case ${PEER_PYTHON:-} in
    none) unset PEER_PYTHON ;;
    '') PEER_PYTHON=$(peer_python) && export PEER_PYTHON ;;
  esac
}

program() {
  if [ -n "${APO_TRAIN:-}" ]; then return; fi
  build apo-train
  export APO_TRAIN=$root/build/default/bin/apo-train
}

compare() {
  local word
  for word in "$@"; do
    case $word in
      --models | --runs | --rounds | --threads | --device | --precision | --*=*) ;;
      -h | --help) usage && exit ;;
      -*) die "unknown option '$word'; accepted: --models, --runs, --rounds, --threads, --device, --precision, --help" ;;
    esac
  done
  program
  peers
  "${PYTHON:-python3}" benchmarks/compare.py --json "$numbers" "$@"
  page
}

lean() {
  local runs=${1:-runs/lean} options=(--jobs "$(nproc)" --progress off)
  program
  begin "$runs/mnist" lean/mnist
  begin "$runs/fashion_mnist" lean/fashion_mnist
  train_once "$runs" mnist lean/mnist "${options[@]}"
  train_once "$runs" fashion_mnist lean/fashion_mnist "${options[@]}" \
    --set "dataset.root=${FASHION_MNIST_ROOT:-/usr/share/datasets/fashion-mnist}"
  paper lean "$runs"/{mnist,fashion_mnist}
  page
}

average() {
  local runs=${1:-runs/average} name more folders=()
  program
  for name in {mlp,cnn,resnet}_{fixed,apo}; do
    more=(--jobs "$(nproc)" --progress off)
    [[ $name == resnet* ]] || more+=(--set "dataset.root=${FASHION_MNIST_ROOT:-/usr/share/datasets/fashion-mnist}")
    begin "$runs/$name" "average/$name"
    train_once "$runs" "$name" "average/$name" "${more[@]}" || [ $? = 5 ] # some diverged: a result, too
    folders+=("$runs/$name")
  done
  paper average "${folders[@]}"
}

pieces() {
  build apo-pieces
  OMP_WAIT_POLICY=passive GOMP_SPINCOUNT=1000 build/default/bin/apo-pieces "$@"
}

scaling() {
  program
  "${PYTHON:-python3}" benchmarks/scaling.py results/scaling.json
  page
}

mapped() {
  program
  "${PYTHON:-python3}" benchmarks/mapped.py results/mapped.json
  page
}

ranks() {
  program
  peers
  "${PYTHON:-python3}" benchmarks/ranks.py results/ranks.json "$@"
  paper ranks
}

network() {
  [ "$(id -u)" = 0 ] || die "network: only root makes network namespaces"
  command -v ip >/dev/null || die "network: ip is missing; apt-get install iproute2"
  program
  build apo-all-reduce
  APO_ALL_REDUCE=$root/build/default/bin/apo-all-reduce "${PYTHON:-python3}" benchmarks/network_cost.py results/network.json
  paper ranks
}

merge() {
  [ -e "${1:-}/performance.json" ] || die "merge wants the folder that scripts/gpu_check.sh wrote, with performance.json in it"
  "${PYTHON:-python3}" benchmarks/compare.py --merge "$1/performance.json" --json "$numbers"
  cp "$1/table.md" results/gpu_check.md
  page
}

page() { paper performance; }

case ${1:-compare} in
  compare | lean | average | scaling | mapped | ranks | network | pieces | merge | page) task=${1:-compare} && shift "$(($# > 0))" ;;
  -h | --help) usage && exit ;;
  -*) task=compare ;;
  *) die "unknown task '$1'; accepted: compare, lean, average, scaling, mapped, ranks, network, pieces, merge, page, --help" ;;
esac
"$task" "$@"
