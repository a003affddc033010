#!/usr/bin/env bash
# Submits a grid to a Slurm of its own, disturbs its tasks at random moments until all runs have ended, and compares what is collected with
# the same grid undisturbed.
# Usage: scripts/torture_sweep.sh [--runs N] [--kills N] [--keep FOLDER]
#   --runs    of the grid; default 100
#   --kills   how many disturbances, also where that takes the sweep several times over; then it is left to come to its end; default 100
#   --keep    copies the runs, the tasks' logs and Slurm's into this folder at the end
# A disturbance, each as likely: a requeue (SIGTERM, then the queue), the end of the time (SIGUSR1), the loss of a node, SIGKILL without a
# warning, a cancellation; after the last two the sweep is submitted again. Beside them the grid is collected again and again.
# Compared: model.safetensors byte by byte, traces and grid.json but for wall_seconds; and every grid.json on the way holds ended runs alone.
# Environment: APO_TRAIN, the program; APO_TORTURE_SEED, of the moments; default: the time. Exit code 77 where Slurm is not installed.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

arguments=("$@") runs=100 kills=100 keep='' killed=0
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit ;;
    --runs | --kills | --keep)
      [ $# -gt 1 ] || die "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    *) die "unknown option '$1'; accepted: --runs N, --kills N, --keep FOLDER, --help" ;;
  esac
  shift
done
for number in runs kills; do
  [[ ${!number} =~ ^[1-9][0-9]*$ ]] || die "--$number ${!number}: accepted: 1, 2, …"
done
nodes=2 # of one core, for two tasks at a time
[ -n "${APO_SANDBOX:-}" ] || APO_SANDBOX=1 exec "$root/scripts/slurm_sandbox.sh" --nodes "$nodes" --cpus 1 ${keep:+--keep "$keep/slurm"} "$0" "${arguments[@]}"

folder=$(mktemp -d)
finish() {
  if [ -n "$keep" ]; then mkdir -p "$keep" && cp -r "$folder"/. "$keep"; fi
  rm -rf "$folder"
}
trap finish EXIT
seed=${APO_TORTURE_SEED:-$(date +%s)}
RANDOM=$seed
APO_TRAIN=${APO_TRAIN:-$root/build/default/bin/apo-train}
export APO_TRAIN OMP_WAIT_POLICY=passive # else the program starts itself again

fail() {
  tail -n 3 "$folder"/log "$folder"/sweep/slurm/*.log >&2 || true
  die "seed $seed, after $killed disturbances: $*"
}
pause() { sleep "$(printf '0.%03d' $((RANDOM % $1)))"; } # milliseconds at the most

config=$root/configs/smoke/torture.yaml
grid=(--threads 1 --set name=grid --set "grid.seed=[$(seq -s, 0 $((runs - 1)))]")
submit() {
  (cd "$folder" && "$root/scripts/sweep_slurm.sh" "$config" --time=60 -- "${grid[@]}" --output "$folder/sweep") >"$folder/submitted" 2>&1 ||
    fail "cannot submit: $(tail -1 "$folder/submitted")"
  ! grep -q 'all runs have ended' "$folder/submitted" || return 1
  submissions=$((submissions + 1))
}

# Ranks what has ended, beside tasks that write; of runs that are whole in the undisturbed grid, it holds those alone.
collect() {
  local rc=0
  "$APO_TRAIN" --config "$config" "${grid[@]}" --output "$folder/sweep" --collect >"$folder/collected" 2>&1 || rc=$?
  [[ $rc =~ ^[035]$ ]] || fail "--collect ended with $rc: $(tail -1 "$folder/collected")"
  [ "$rc" -eq 3 ] || paper same-so-far "$folder/whole/grid" "$folder/sweep/grid" || fail "what was collected on the way differs"
}

running() { squeue --noheader --states=RUNNING --format='%i %N %K'; }
queued() { squeue --noheader | wc -l; }

declare -A count=()
collections=0
disturb() {
  local tasks job node index kind
  mapfile -t tasks < <(running)
  [ ${#tasks[@]} -gt 0 ] || return 0
  read -r job node index <<<"${tasks[RANDOM % ${#tasks[@]}]}"
  kinds=(requeue time node kill cancel)
  kind=${kinds[RANDOM % 5]}
  # A task may have ended by itself meanwhile.
  case $kind in
    requeue) scontrol requeue "$job" ;;
    time) scancel --signal=USR1 --batch "$job" ;;
    node) scontrol update "nodename=$node" state=down reason=lost ;; # it comes back by itself
    kill) pkill -KILL -f -- "--output $folder/sweep --run-index $index " ;;
    cancel) scancel "$job" ;;
  esac 2>/dev/null || return 0
  killed=$((killed + 1)) count[$kind]=$((${count[$kind]:-0} + 1))
}

begin=$SECONDS
"$APO_TRAIN" --config "$config" "${grid[@]}" --output "$folder/whole" --jobs "$nodes" --progress off >"$folder/log" 2>&1 || fail "the undisturbed grid: exit code $?"
say "the undisturbed grid of $runs runs takes $((SECONDS - begin)) s; seed of the moments: $seed"

begin=$SECONDS ended=0 submissions=0
while [ "$killed" -lt "$kills" ]; do
  rm -rf "$folder/sweep"
  while submit; do
    while [ "$(queued)" -gt 0 ]; do
      pause 500
      [ "$killed" -ge "$kills" ] || disturb
      [ $((RANDOM % 3)) -gt 0 ] || { collect && collections=$((collections + 1)); }
    done
  done
  collect
  paper same "$folder/whole/grid" "$folder/sweep/grid" || fail "not the same runs"
  ended=$((ended + 1))
done
for kind in "${!count[@]}"; do printf '%s %d\n' "$kind" "${count[$kind]}"; done | sort | paste -sd' '
say "$killed disturbances in $ended sweep(s) of $runs runs, $submissions submissions, $collections collections on the way, $((SECONDS - begin)) s: the collected results equal the undisturbed ones"
