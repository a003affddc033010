#!/usr/bin/env bash
# Whether all is well on a machine with a GPU, and how fast: the gpu tests, CPU and GPU beside each other, compute-sanitizer, the
# benchmark against PyTorch, an epoch of ResNet-34. Runs in a folder of scripts/bundle.sh or in a built checkout. Under 8 minutes.
# Usage: scripts/gpu_check.sh [OUTPUT]
#   OUTPUT   folder for the numbers; default: gpu_check
# Needs a python3 (or $PYTHON) with PyTorch 2.11. $DEVICE: cuda by default; cpu tries the check itself, on less.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
help_or_words "[OUTPUT]" "$@"
output=$(mkdir -p "${1:-gpu_check}" && cd "${1:-gpu_check}" && pwd)
device=${DEVICE:-cuda}
python=${PYTHON:-python3}
program=./apo-train tests=./apo-tests
if [ ! -x "$program" ]; then
  program=build/default/bin/apo-train tests=build/default/tests/apo-tests
fi
[ -x "$program" ] || die "neither ./apo-train of a bundle nor $program of a build is here"
program=$(realpath -s "$program")
export PYTHON=$python

failures=0
# check NAME COMMAND…: what was done, how it ended, and the last line of its words become a row of table.md.
check() {
  local name=$1 log started=$SECONDS verdict=well
  shift
  log=$output/${name//[ ,]/_}.log
  say "$name"
  set +e # within a condition, the command's own errors would not end it
  (
    set -e
    "$@"
  ) >"$log" 2>&1
  local status=$?
  set -e
  if [ "$status" -ne 0 ]; then
    verdict=FAILED
    failures=$((failures + 1))
    tail -5 "$log" >&2
  fi
  printf '| %s | %s | %s s | %s |\n' "$name" "$verdict" "$((SECONDS - started))" \
    "$(grep -v '^$' "$log" | tail -1 | cut -c1-100 || true)" >>"$output/table.md"
}

train() { timeout 200 "$program" --output "$output/runs" --overwrite --progress off "$@"; }

gpu_tests() {
  timeout 240 "$tests" --gtest_brief=1 --gtest_filter='*Gpu*' | tee "$output/gpu_tests.txt"
  # A test that is skipped, or none at all, shows nothing.
  [ "$device" = cpu ] || ! grep -E 'SKIPPED| 0 tests' "$output/gpu_tests.txt"
}

# Both in double precision, so that only the order of sums differs.
agreement() {
  local where
  for where in cpu "$device"; do
    train --config configs/smoke/resnet.yaml --set "name=agree_$where" --device "$where" --set precision=float64
  done
  "$python" - "$output/runs/agree_cpu/trace.json" "$output/runs/agree_$device/trace.json" <<'PYTHON'
import json, sys
host, device = (json.load(open(path))["steps"]["loss"] for path in sys.argv[1:])
worst = max(abs(a - b) / abs(a) for a, b in zip(host, device, strict=True))
print(f"losses of {len(host)} steps differ by {worst:.1e} of themselves at most")
sys.exit(worst > 1e-6)
PYTHON
}

# Steps a second with CUDA graphs and without; a part that could not be recorded is told in the log.
graphs() {
  local how examples=50000
  if [ "$device" = cpu ]; then examples=1000; fi
  for how in auto off; do
    train --config configs/smoke/mlp.yaml --device "$device" --set "name=graph_$how" --set "train.cuda_graph=$how" --set train.epochs=8 \
      --set "dataset={name: synthetic, train_examples: $examples, test_examples: 100, batch_size: 100}" --set 'model.hidden=[1000, 1000]' \
      --set train.checkpoint_every=0
  done
  if grep -h "without CUDA graphs" "$output/runs/graph_auto/log.txt"; then return 1; fi
  "$python" - "$output"/runs/graph_{auto,off}/trace.json <<'PYTHON'
import json, sys
def rate(path):
    trace = json.load(open(path))
    steps, seconds = trace["epochs"]["step"], trace["epochs"]["wall_seconds"]
    return (steps[-1] - steps[0]) / (seconds[-1] - seconds[0])
auto, off = map(rate, sys.argv[1:])
print(f"{auto:.0f} steps a second, {off:.0f} without graphs: {auto / off:.2f} times")
PYTHON
}

sanitizer() {
  if [ "$device" = cpu ] || ! command -v compute-sanitizer >/dev/null; then
    echo "not here, left out"
    return
  fi
  # Each tensor in memory of its own: within a larger block none would be seen to leave its bounds.
  local status=0
  PYTORCH_NO_CUDA_MEMORY_CACHING=1 timeout 150 compute-sanitizer --error-exitcode 9 --report-api-errors no --target-processes all \
    "$program" --config configs/smoke/resnet.yaml --device "$device" --output "$output/runs" --overwrite --progress off \
    --set name=sanitized --set train.epochs=1 --set train.cuda_graph=off 2>&1 | tee "$output/sanitizer.txt" || status=$?
  if grep -q 'not supported' "$output/sanitizer.txt"; then
    echo "does not work on this machine, left out"
    return
  fi
  [ "$status" = 0 ] && echo "no errors"
}

# benchmark PRECISION MODELS: one round, for the minutes; scripts/benchmark.sh --device cuda makes more of them.
benchmark() {
  APO_TRAIN=$program PEER_PYTHON=$python timeout 300 "$python" benchmarks/compare.py --device "$device" --precision "$1" --models "$2" \
    --rounds 1 --json "$output/performance.json"
}

# An epoch of CIFAR-10's size on made-up pictures, with APO.
epoch() {
  local examples=50000 width=64
  if [ "$device" = cpu ]; then examples=640 width=8; fi
  train --config configs/cifar10_resnet34_sgd_apo.yaml --device "$device" --set name=epoch --set precision=bfloat16 \
    --set "dataset={name: synthetic, channels: 3, height: 32, width: 32, train_examples: $examples, test_examples: 1000, batch_size: 128, augmentation: crop_flip}" \
    --set "model.width=$width" --set optimizer.learning_rate=0.01 --set tuner.lambda=0.001 --set train.epochs=2
  "$python" - "$output/runs/epoch/trace.json" <<'PYTHON'
import json, sys
seconds = json.load(open(sys.argv[1]))["epochs"]["wall_seconds"]
print(f"the first epoch {seconds[0]:.1f} s, the second {seconds[1] - seconds[0]:.2f} s")
PYTHON
}

if [ "$device" = cpu ]; then name=$(uname -m); else name=$(nvidia-smi --query-gpu=name --format=csv,noheader | head -1) || name=unknown; fi
printf '%s\n\n| what | | | |\n|---|---|---|---|\n' "$name" >"$output/table.md"
check "gpu tests" gpu_tests
check "cpu and gpu agree" agreement
check "CUDA graphs" graphs
check "epoch of ResNet-34" epoch
if [ "$device" = cpu ]; then
  check "benchmark" benchmark float32 mlp
else
  check "benchmark of ResNets, bfloat16" benchmark bfloat16 resnet34,resnet18
  check "benchmark, float32" benchmark float32 mlp,cnn
fi
check "compute-sanitizer" sanitizer
cat "$output/table.md"
say "$SECONDS s; scripts/benchmark.sh merge FOLDER takes the numbers over where the repository is"
[ "$failures" = 0 ] || die "$failures checks failed; their words are in $output"
