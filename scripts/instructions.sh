#!/usr/bin/env bash
# Counts the instructions of training steps with callgrind, which no other load on the machine changes, and holds them against
# benchmarks/instructions.txt: a commit that makes steps dearer is seen. Networks are tiny, so that what counts is our own work
# and LibTorch's calls, not matrix products.
# Usage: scripts/instructions.sh [--write]
#   --write   write the counts into benchmarks/instructions.txt instead of comparing
# Environment: APO_TRAIN, the program; default: build/default/bin/apo-train
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
baseline=benchmarks/instructions.txt
tolerance=5 # per cent: what another processor's string functions may differ

case ${1:-} in
  '' | --write) ;;
  -h | --help) usage && exit ;;
  *) die "unknown option '$1'; accepted: --write, --help" ;;
esac
command -v valgrind >/dev/null || die "valgrind is missing: scripts/setup.sh --dev"
program=${APO_TRAIN:-build/default/bin/apo-train}
[ -x "$program" ] || die "$program: no such program; scripts/build.sh, or APO_TRAIN"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# count KEY=VALUE…: instructions within the training loop, 60 steps and an evaluation.
count() {
  local arguments=() setting
  for setting in 'dataset={name: synthetic, height: 8, width: 8, train_examples: 480, test_examples: 8, batch_size: 8}' \
    train.epochs=1 train.checkpoint_every=0 name=counted "$@"; do arguments+=("--set=$setting"); done
  # The oldest kernels, which all processors have; one thread.
  OMP_WAIT_POLICY=passive OMP_NUM_THREADS=1 MKL_CBWR=COMPATIBLE ATEN_CPU_CAPABILITY=default ONEDNN_MAX_CPU_ISA=SSE41 \
    valgrind --tool=callgrind --callgrind-out-file="$work/out" --toggle-collect='apo::Trainer::advance_to(long)' \
    "$program" --config configs/smoke/mlp.yaml --output "$work/runs" --overwrite --threads 1 --progress off "${arguments[@]}" \
    >"$work/log" 2>&1 || die "$(tail -1 "$work/log")"
  sed -n 's/.*Collected : //p' "$work/log"
}

mlp='model={name: mlp, hidden: [16]}'
apo='tuner={name: apo, lambda: 1e-3, interval: 2}'
counts() {
  echo "sgd_constant $(count "$mlp" 'optimizer={name: sgd, learning_rate: 0.01}' 'tuner={name: constant}')"
  echo "sgd_apo $(count "$mlp" 'optimizer={name: sgd, learning_rate: 0.01}' "$apo")"
  echo "rmsprop_apo_per_layer $(count "$mlp" 'optimizer={name: rmsprop, learning_rate: 1e-3}' "${apo/\}/, scope: per_layer\}}")"
  echo "kfac_apo $(count "$mlp" 'optimizer={name: kfac, learning_rate: 1e-3}' "$apo")"
  echo "sgd_default $(count "$mlp" 'optimizer={name: sgd}' 'tuner={name: movement}')"
  echo "cnn_adam_apo $(count 'model={name: cnn, channels: [8]}' 'optimizer={name: adam, learning_rate: 1e-3}' "$apo")"
}

if [ "${1:-}" = --write ]; then
  { grep '^#' "$baseline" && counts; } >"$work/new"
  mv "$work/new" "$baseline"
  exit
fi
counts >"$work/counts"
failed=0
while read -r name now; do
  before=$(sed -n "s/^$name //p" "$baseline")
  percent=$(awk -v now="$now" -v before="${before:-0}" 'BEGIN {printf "%.1f", before ? 100 * (now - before) / before : 100}')
  echo "$name: $now instructions, $percent % more than ${before:-none}"
  awk -v percent="$percent" -v most="$tolerance" 'BEGIN {exit !(percent > most)}' && failed=1
done <"$work/counts"
[ "$failed" = 0 ] || die "steps take more than $tolerance % more instructions than $baseline says; if that is wanted: scripts/instructions.sh --write"
