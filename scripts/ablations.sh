#!/usr/bin/env bash
# Trains what docs/ablations.md reports, then writes that page. Runs that are there already are kept.
# Usage: scripts/ablations.sh [FOLDER] [PART…]
#   FOLDER   of the runs; default: runs/ablations
#   PART     of: robustness momentum hyperparameters layers discrepancies kfac; default: all
# Needs MNIST and Fashion-MNIST (scripts/download_data.sh, or $APO_DATA_ROOT for MNIST and $FASHION_MNIST_ROOT).
# $THREADS: of each run; default: all cores. Two hours on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
help_or_words "[FOLDER] [PART…]" "$@"
runs=${1:-runs/ablations}
shift || true
parts=("$@")
known=(robustness momentum hyperparameters layers discrepancies kfac)
[ ${#parts[@]} -gt 0 ] || parts=("${known[@]}")
for part in "${parts[@]}"; do
  [[ " ${known[*]} " == *" $part "* ]] || die "unknown part '$part'; accepted: ${known[*]}"
done
fashion=${FASHION_MNIST_ROOT:-/usr/share/datasets/fashion-mnist}

# train NAME CONFIG [more…]; a run that diverges is a result, too.
train() {
  local code=0
  train_once "$runs" "$@" --threads "${THREADS:-0}" --progress off || code=$?
  [ "$code" = 0 ] || [ "$code" = 4 ] || exit "$code"
}

# mlp NAME OPTIMIZER RATE LAMBDA [more…]: five epochs of MNIST.
mlp() {
  local name=$1 optimizer=$2 rate=$3 lambda=$4
  shift 4
  train "$name" mnist_mlp_rmsprop_apo --set train.epochs=5 --set train.evaluate_every=5 \
    --set "optimizer={name: $optimizer, learning_rate: $rate}" --set "tuner.lambda=$lambda" "$@"
}

lambda_of() {
  case $1 in
    rmsprop) echo 1e-5 ;;
    sgd | adam) echo 1e-3 ;;
    sgdm) echo 0.1 ;;
  esac
}

# cnn NAME OPTIMIZER TUNER [more…]: ten epochs of Fashion-MNIST.
cnn() {
  local name=$1 optimizer=$2 tuner=$3
  shift 3
  train "$name" fashionmnist_cnn_rmsprop_apo --set train.epochs=10 --set "dataset.root=$fashion" \
    --set "optimizer=$optimizer" --set "tuner=$tuner" "$@"
}

robustness() {
  local optimizer rate
  for optimizer in rmsprop sgd sgdm adam; do
    for rate in auto 1e-1 1e-2 1e-3 1e-5 1e-7; do
      mlp "robustness_robust_${optimizer}_$rate" "$optimizer" "$rate" "$(lambda_of "$optimizer")"
    done
  done
  for rate in 1e-1 1e-2 1e-7; do
    mlp "robustness_paper_rmsprop_$rate" rmsprop "$rate" 1e-5 --set tuner.form=paper
  done
}

momentum() {
  local way
  for way in false true; do
    mlp "momentum_sgdm_${way}_1e-1" sgdm 1e-2 1e-1 --set "tuner.through_momentum=$way"
    mlp "momentum_adam_${way}_1e-3" adam 1e-3 1e-3 --set "tuner.through_momentum=$way"
  done
}

hyperparameters() {
  local seed
  for seed in 0 1 2; do
    mlp "hyperparameters_one_$seed" rmsprop 1e-4 1e-5 --set "seed=$seed"
    mlp "hyperparameters_three_$seed" rmsprop 1e-4 1e-5 --set "seed=$seed" --set 'tuner.tune=[learning_rate, power, epsilon]'
  done
}

layers() {
  local slow=(--set tuner.meta_optimizer.learning_rate=0.001)
  mlp layers_sgd_global sgd 1e-1 1e-3
  mlp layers_sgd_per_layer sgd 1e-1 1e-3 --set tuner.scope=per_layer
  mlp layers_sgd_per_layer_slow sgd 1e-1 1e-3 --set tuner.scope=per_layer "${slow[@]}"
  mlp layers_rmsprop_global rmsprop 1e-4 1e-5
  mlp layers_rmsprop_per_layer rmsprop 1e-4 1e-5 --set tuner.scope=per_layer
  mlp layers_rmsprop_per_layer_slow rmsprop 1e-4 1e-5 --set tuner.scope=per_layer "${slow[@]}"
  mlp layers_rmsprop_per_layer_auto rmsprop auto 1e-5 --set tuner.scope=per_layer
  mlp layers_rmsprop_per_layer_auto_slow rmsprop auto 1e-5 --set tuner.scope=per_layer "${slow[@]}"
}

discrepancies() {
  local discrepancy lambda
  for discrepancy in squared_euclidean bregman kl; do
    for lambda in 1e-2 1e-3 1e-4; do
      mlp "discrepancies_${discrepancy}_$lambda" sgd 1e-1 "$lambda" --set "tuner.discrepancy=$discrepancy"
    done
  done
}

# kfac_fixed RATE
kfac_fixed() {
  cnn "kfac_fixed_$1" "{name: kfac, learning_rate: $1, damping: 1e-3}" '{name: constant}'
}

kfac() {
  cnn kfac_apo_both_bounded '{name: kfac, learning_rate: 1e-3, damping: 1e-3}' \
    '{name: apo, lambda: 0.1, tune: [learning_rate, damping], bounds: {damping: [5e-4, 10]}}'
  kfac_fixed 1e-3
  cnn kfac_rmsprop_apo_1e-2 '{name: rmsprop, learning_rate: 1e-4}' '{name: apo, lambda: 1e-2}'
  kfac_fixed 1e-2
  kfac_fixed 1e-1
  kfac_fixed 1e-4
}

for part in "${parts[@]}"; do "$part"; done
paper ablations "$runs"
