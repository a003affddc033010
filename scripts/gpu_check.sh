#!/usr/bin/env bash
# Whether all is well on a machine with a GPU, and how fast. Runs in a folder of scripts/bundle.sh or in a built checkout.
# Usage: scripts/gpu_check.sh [--correct | --fast] [OUTPUT]
#   --correct   only whether all is well: the gpu tests, CPU and GPU beside each other, runs repeated and resumed, compute-sanitizer;
#               two minutes
#   --fast      only how fast: CUDA graphs, an epoch of ResNet-34, the benchmark against PyTorch, eager and compiled; five minutes
#   OUTPUT      folder for the numbers; default: gpu_check
# Needs a python3 (or $PYTHON) with PyTorch 2.11. $DEVICE: cuda by default; cpu tries the check itself, on less.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh
parts='correct fast'
case ${1:-} in
  --correct | --fast) parts=${1#--} && shift ;;
esac
help_or_words "--correct, --fast, [OUTPUT]" "$@"
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
    tail -5 "$log" >&2
  fi
  printf '| %s | %s | %s s | %s |\n' "$name" "$verdict" "$((SECONDS - started))" \
    "$(grep -v '^$' "$log" | tail -1 | cut -c1-100 || true)" >>"$output/table.md"
}

train() { timeout 200 "$program" --output "$output/runs" --overwrite --progress off "$@"; }

# As many processes as fit beside each other.
gpu_tests() {
  local shards=4 shard status=0 running=()
  for shard in $(seq 0 $((shards - 1))); do
    GTEST_TOTAL_SHARDS=$shards GTEST_SHARD_INDEX=$shard OMP_NUM_THREADS=4 \
      timeout 240 "$tests" --gtest_brief=1 --gtest_filter='*Gpu*' >"$output/gpu_tests.$shard.txt" 2>&1 &
    running+=($!)
  done
  for shard in "${running[@]}"; do wait "$shard" || status=$?; done
  cat "$output"/gpu_tests.*.txt
  awk '/  PASSED  / {passed += $4} END {print passed " tests passed"}' "$output"/gpu_tests.*.txt
  # A test that is skipped, or none at all, shows nothing.
  [ "$device" = cpu ] || ! grep -E 'SKIPPED| 0 tests' "$output"/gpu_tests.*.txt
  return "$status"
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

# Equal runs, and one that was interrupted, are equal to the bit.
repeats() {
  local run=(--config configs/smoke/resnet.yaml --output "$output/runs" --progress off --device "$device"
    --set deterministic=true --set precision=bfloat16 --set "tuner={name: movement, interval: 2}" --set optimizer.schedule.name=none)
  rm -rf "$output"/runs/{once,again,resumed}
  timeout 100 "$program" "${run[@]}" --set name=once --set train.epochs=6
  timeout 100 "$program" "${run[@]}" --set name=again --set train.epochs=6
  timeout 100 "$program" "${run[@]}" --set name=resumed --set train.epochs=3
  timeout 100 "$program" "${run[@]}" --set name=resumed --set train.epochs=6 --resume
  "$python" - "$output"/runs/{once,again,resumed}/trace.json <<'PYTHON'
import json, sys
once, again, resumed = (json.load(open(path))["steps"] for path in sys.argv[1:])
for other, name in ((again, "repeated"), (resumed, "resumed")):
    for column in ("loss", "learning_rate"):
        differ = [t for t, (a, b) in enumerate(zip(once[column], other[column], strict=True)) if a != b]
        if differ:
            sys.exit(f"{name}: {column} differs at {len(differ)} steps, first at {differ[0]}")
print(f"{len(once['loss'])} steps are equal to the bit, repeated and resumed")
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

# benchmark PRECISION MODELS: the rows that have a goal; scripts/benchmark.sh --device cuda has more of them.
benchmark() {
  APO_TRAIN=$program PEER_PYTHON=$python timeout 400 "$python" benchmarks/compare.py --device "$device" --precision "$1" --models "$2" \
    --runs '^(constant|default|APO|APO, K = 1|movement, K = 1|PyTorch, (constant|APO|compiled|compiled, APO))$' \
    --rounds "${ROUNDS:-2}" --json "$output/performance.json"
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
if [[ $parts == *correct* ]]; then
  # Beside each other, for nothing here is timed.
  check "gpu tests" gpu_tests &
  check "cpu and gpu agree" agreement &
  check "deterministic runs" repeats &
  check "compute-sanitizer" sanitizer &
  wait
fi
if [[ $parts == *fast* ]]; then
  check "CUDA graphs" graphs
  check "epoch of ResNet-34" epoch
  if [ "$device" = cpu ]; then
    check "benchmark" benchmark float32 mlp
  else
    check "benchmark of ResNet-34, bfloat16" benchmark bfloat16 resnet34
    check "benchmark of an MLP, float32" benchmark float32 mlp
    check "benchmark of an MLP, tf32" benchmark tf32 mlp
  fi
fi
cat "$output/table.md"
say "$SECONDS s; scripts/benchmark.sh merge FOLDER takes the numbers over where the repository is"
failures=$(grep -c '| FAILED |' "$output/table.md" || true)
[ "$failures" = 0 ] || die "$failures checks failed; their words are in $output"
