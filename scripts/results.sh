#!/usr/bin/env bash
# Trains what docs/results.md reports, then writes that page and the README's picture. Runs that are there already are kept.
# Usage: scripts/results.sh [FOLDER]
#   FOLDER   of the runs; default: runs/results
# Needs MNIST, CIFAR-10, CIFAR-100 and SVHN (scripts/download_data.sh, or $APO_DATA_ROOT) and python3-matplotlib.
# Three quarters of an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
help_or_words "[FOLDER]" "$@"
[ $# -le 1 ] || die "one folder at most; see --help"
runs=${1:-runs/results}
constant=(--set 'tuner={name: constant}')
paper=(--set tuner.form=paper)

# train NAME CONFIG [more…]
train() { train_once "$runs" "$@"; }

# MNIST: APO against the fixed rate that it starts from.
train mnist_rmsprop_apo mnist_mlp_rmsprop_apo --set train.epochs=25 "${paper[@]}"
train mnist_rmsprop_fixed mnist_mlp_rmsprop_apo --set train.epochs=25 "${constant[@]}"
train mnist_sgd_apo mnist_mlp_sgd_apo --set train.epochs=6 "${paper[@]}"
train mnist_sgd_fixed mnist_mlp_sgd_apo --set train.epochs=6 "${constant[@]}"

# Narrow ResNets: 500 examples are fitted; on 4,000 (SVHN: $SVHN_EXAMPLES) the loss falls for 10 epochs.
narrow=(--set model.width=8 --set dataset.augmentation=none --set dataset.test_examples=400)
for set in cifar10 cifar100 svhn; do
  config=${set}_resnet34_sgd_apo examples=4000 lambda=0.001 fit_epochs=60
  case $set in
    cifar100) lambda=0.01 fit_epochs=160 ;;
    svhn) config=svhn_resnet18_rmsprop_apo examples=${SVHN_EXAMPLES:-4000} ;;
  esac
  options=("${narrow[@]}" "${paper[@]}" --set "tuner.lambda=$lambda")
  train "narrow_${set}_fit" "$config" "${options[@]}" \
    --set dataset.train_examples=500 --set dataset.batch_size=50 --set "train.epochs=$fit_epochs"
  options+=(--set "dataset.train_examples=$examples" --set train.epochs=10)
  train "narrow_${set}_apo" "$config" "${options[@]}"
  train "narrow_${set}_fixed" "$config" "${options[@]}" "${constant[@]}"
done

paper results "$runs"
