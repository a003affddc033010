#!/usr/bin/env bash
# Submits the runs of a grid to Slurm, or the members of a population, each a task of one job array: those that have not ended yet.
# Usage: scripts/sweep_slurm.sh CONFIG [--members] [--jobs N] [sbatch's options…] [-- apo-train's options…]
#   --members  a population's members, which have to run at the same time, for they wait for each other
#   --jobs     so many at a time at the most; default: as many as the cluster has room for
# Example: scripts/sweep_slurm.sh sweep.yaml --time=4:00:00 --cpus-per-task=4 --gres=gpu:1 -- --set train.epochs=50
# A task may be preempted, requeued or lose its node at any moment: it is put back into the queue and goes on from its checkpoint. Two
# minutes before its time is up it saves and queues again (--signal=B:USR1@SECONDS changes the two minutes), as often as it takes. What was
# cancelled or has failed stays so until the same command is given again, which leaves alone what has ended.
# A task trains on the CPUs that it is given, unless the configuration says how many threads. Logs: OUTPUT/slurm.
# The table of what has ended: apo-train --config CONFIG --collect, at any time. docs/sweeps.md has the rest.
# Environment: APO_TRAIN, the program, at a path that all nodes have; default: build/default/bin/apo-train
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in -*) help_or_words "CONFIG [--members] [--jobs N] [sbatch's options…] [-- apo-train's options…]" "$@" ;; esac
[ $# -ge 1 ] || die "usage: ${0##*/} CONFIG [--members] [--jobs N] [sbatch's options…] [-- apo-train's options…]"
config=$1 number=--run-index jobs='' output=runs sbatch=()
shift
while [ $# -gt 0 ] && [ "$1" != -- ]; do
  case $1 in
    --members) number=--member ;;
    --jobs) jobs=${2:?--jobs needs a number} && shift ;;
    --jobs=*) jobs=${1#*=} ;;
    *) sbatch+=("$1") ;;
  esac
  shift
done
[ $# -eq 0 ] || shift
[[ $jobs =~ ^([1-9][0-9]*)?$ ]] || die "--jobs $jobs: accepted: 1, 2, …"
program=("$(realpath "${APO_TRAIN:-$root/build/default/bin/apo-train}")" --config "$config" "$@")
[ -x "${program[0]}" ] || die "${program[0]} is not there; build it with scripts/build.sh, or name it: APO_TRAIN"
command -v sbatch >/dev/null || die "sbatch is not here: this is no machine that submits to Slurm; on a single machine: ${program[*]@Q} --jobs N"
for ((i = 1; i <= $#; ++i)); do
  case ${!i} in
    --output) next=$((i + 1)) && output=${!next:?--output needs a folder} ;;
    --output=*) output=${!i#*=} ;;
  esac
done

# missing: the numbers of the runs that have not ended, with commas; nothing where all have.
missing() {
  local said rc=0 runs
  if [ "$number" = --member ]; then
    runs=$("${program[@]}" --print-config) || return
    runs=$(seq -f '%g  member' 0 $(($(sed -n 's/^ *members: //p' <<<"$runs") - 1)))
  else
    runs=$("${program[@]}" --list-runs) || return
  fi
  said=$("${program[@]}" --collect 2>&1) || rc=$?
  case $rc in
    0) ;;
    3) sed -n 's/^ *\([0-9]\+\)  .*/\1/p' <<<"$runs" | paste -sd, ;;               # none has ended
    5) sed -n '/^missing: /,$ s/^ *\([0-9]\+\)  .*/\1/p' <<<"$said" | paste -sd, ;; # some has not, or has diverged
    *) printf '%s\n' "$said" >&2 && return 1 ;;
  esac
}

# What a task does. Slurm hands its text to the nodes.
# shellcheck disable=SC2317
task() {
  local pid rc=0 threads=()
  [ "$open_threads" -eq 0 ] || threads=(--threads "$SLURM_CPUS_ON_NODE")
  "${program[@]}" "${threads[@]}" "$number" "$SLURM_ARRAY_TASK_ID" --resume --progress off &
  pid=$!
  # Time is nearly up, of which Slurm tells this shell alone. Of an end (SIGTERM) it tells every process itself: told again, the program
  # would end at once. This shell has to outlive it.
  trap 'kill -USR1 "$pid"' USR1
  trap : TERM
  # A trap ends a wait, too.
  while kill -0 "$pid" 2>/dev/null; do wait "$pid" || true; done
  wait "$pid" || rc=$?
  # Saved by USR1 (10): goes on later.
  if [ "$rc" -eq $((128 + 10)) ]; then scontrol requeue "${SLURM_ARRAY_JOB_ID}_$SLURM_ARRAY_TASK_ID"; fi
  exit "$rc"
}

tasks=$(missing) || die "the runs of $config cannot be listed; see above"
if [ -z "$tasks" ]; then
  say "all runs have ended; their table: ${program[*]@Q} --collect"
  exit
fi
# Where the configuration leaves it open: what Slurm has given, also on nodes where it holds nobody to that.
open_threads=$("${program[@]}" --print-config | grep -cx 'threads: 0' || true)
mkdir -p "$output/slurm"
{
  echo '#!/usr/bin/env bash'
  declare -p program number open_threads
  declare -f task
  echo task
} | sbatch --job-name="$(basename "$config" .yaml)" --array="$tasks${jobs:+%$jobs}" --output="$output/slurm/%x_%A_%a.log" --open-mode=append \
  --requeue --signal=B:USR1@120 "${sbatch[@]}"
say "the table of what has ended, at any time: ${program[*]@Q} --collect"
