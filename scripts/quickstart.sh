#!/usr/bin/env bash
# From a fresh clone to a trained network: setup, build, and Fashion-MNIST with a learning rate that tunes itself.
# Usage: scripts/quickstart.sh [--cpu|--cuda] [apo-train's options…]
#   --cpu, --cuda   see scripts/setup.sh
# Anything else goes to apo-train, such as --set train.epochs=5.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

flavours=() options=() output=runs
while [ $# -gt 0 ]; do
  case $1 in
    --cpu | --cuda) flavours=("$1") ;;
    -h | --help) usage && exit ;;
    --output) output=${2:?--output needs a folder} options+=("$1" "$2") && shift ;;
    --output=*) output=${1#*=} options+=("$1") ;;
    *) options+=("$1") ;;
  esac
  shift
done

"$root/scripts/build.sh" "${flavours[@]}" --target apo-train
command=("$root/build/default/bin/apo-train" --config "$root/configs/quickstart_fashionmnist.yaml" --overwrite "${options[@]}")
say "train: ${command[*]}"
"${command[@]}"
say "results: in $output/quickstart_fashionmnist"
