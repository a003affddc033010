#!/usr/bin/env bash
# Do the ResNets learn? Width 8 on CIFAR-10, CIFAR-100 and SVHN, small enough for two cores.
# Usage: scripts/narrow_resnets.sh [apo-train's options…]
# Needs the data sets (scripts/download_data.sh, or $APO_DATA_ROOT). Runs go to runs/, or where --output says.
#   fit: 500 examples without augmentation must be fitted (training loss below 0.1)
#   fall: 10 epochs of 4,000 examples (SVHN: at most as many as there are), with APO and with the constant rate
set -euo pipefail
cd "$(dirname "$0")/.."
apo_train=${APO_TRAIN:-build/default/bin/apo-train}
svhn_examples=${SVHN_EXAMPLES:-4000}

# narrow NAME CONFIG EXAMPLES EPOCHS [more…]
narrow() {
  local name=$1 config=$2 examples=$3 epochs=$4
  shift 4
  "$apo_train" --config "configs/$config.yaml" --set "name=narrow_$name" --set model.width=8 \
    --set "dataset.train_examples=$examples" --set dataset.augmentation=none --set "train.epochs=$epochs" --overwrite "$@"
}

constant=(--set 'tuner={name: constant}')
for set in cifar10 cifar100 svhn; do
  config=${set}_resnet34_sgd_apo examples=4000 apo=(--set tuner.lambda=0.001)
  if [ "$set" = svhn ]; then
    config=svhn_resnet18_rmsprop_apo examples=$svhn_examples apo=(--set tuner.lambda=1e-3)
  fi
  narrow "${set}_fit" "$config" 500 40 --set dataset.batch_size=50 "${apo[@]}" "$@"
  narrow "${set}_apo" "$config" "$examples" 10 "${apo[@]}" "$@"
  narrow "${set}_constant" "$config" "$examples" 10 "${constant[@]}" "$@"
done
