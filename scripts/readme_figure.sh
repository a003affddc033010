#!/usr/bin/env bash
# Trains the two runs of the README's picture and draws it: scripts/readme_figure.sh [apo-train options]
# Needs MNIST (scripts/download_data.sh mnist, or $APO_DATA_ROOT) and python3-matplotlib. Some 15 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
apo_train=${APO_TRAIN:-build/default/bin/apo-train}
config=configs/mnist_mlp_rmsprop_apo.yaml
"$apo_train" --config "$config" --set name=readme_apo --set train.epochs=25 --overwrite "$@"
"$apo_train" --config "$config" --set name=readme_fixed --set train.epochs=25 --set 'tuner={name: constant}' --overwrite "$@"
mkdir -p docs/images
python3 scripts/plot_traces.py docs/images/mnist_rmsprop.svg 'fixed 1e-4=runs/readme_fixed' 'APO, λ = 1e-5=runs/readme_apo'
