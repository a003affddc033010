#!/usr/bin/env bash
# Kills a short run again and again, at random moments, resumes it each time, and compares the end with an undisturbed run.
# Usage: scripts/torture.sh [--kills N] [--signal KILL|TERM] [--config FILE] [apo-train's options…]
#   --kills    how many in all, each followed by --resume; the run begins anew each time it comes to its end; default 200
#   --signal   KILL: no warning at all; TERM: the run saves and ends by itself; default KILL
#   --config   a grid or a population is killed whole; default: each of configs/smoke/torture*.yaml in turn, which share the kills: a
#              small CNN, one of the usual size with K-FAC, a narrow ResNet
# Compared: model.safetensors byte by byte, and the steps, meta, epochs (but for wall_seconds) and hyperparameters of trace.json.
# Environment: APO_TRAIN, the program; APO_TORTURE_SEED, of the moments; default: the time.
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

kills=200 signal=KILL config='' options=()
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit ;;
    --kills | --signal | --config)
      [ $# -gt 1 ] || die "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    *) options+=("$1") ;;
  esac
  shift
done
[[ $signal =~ ^(KILL|TERM)$ ]] || die "--signal $signal: accepted: KILL, TERM"
[[ $kills =~ ^[1-9][0-9]*$ ]] || die "--kills $kills: accepted: 1, 2, …"

if [ -z "$config" ]; then
  configs=("$root"/configs/smoke/torture*.yaml)
  for config in "${configs[@]}"; do
    say "${config##*/}"
    "$0" --config "$config" --kills $(((kills - 1) / ${#configs[@]} + 1)) --signal "$signal" "${options[@]}"
  done
  exit
fi

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
seed=${APO_TORTURE_SEED:-$(date +%s)}
RANDOM=$seed
export OMP_WAIT_POLICY=passive # else the program starts itself again

# train OUTPUT [OPTIONS…]: in place of this shell.
train() {
  local output=$1
  shift
  exec "${APO_TRAIN:-$root/build/default/bin/apo-train}" --config "$config" --threads 1 --progress off --output "$folder/$output" \
    "${options[@]}" "$@" >>"$folder/log" 2>&1
}

# interrupt PID: kills a run with all its processes, or asks it to end.
interrupt() {
  if [ "$signal" = TERM ]; then kill -TERM "$1"; else pkill -KILL -f -- "--output $folder/tortured"; fi
}

compare() { paper same "$folder/whole" "$folder/tortured" || die "seed $seed, after $killed kills: not the same run"; }

begin=$(date +%s%N)
(train whole) || die "the undisturbed run failed: $(tail -1 "$folder/log")"
milliseconds=$((($(date +%s%N) - begin) / 1000000))
say "the undisturbed run takes $milliseconds ms; seed of the moments: $seed"

killed=0 completed=0
while [ "$killed" -lt "$kills" ]; do
  train tortured --resume &
  pid=$! rc=0
  moment=$((milliseconds * RANDOM / 32768)) # below the length of the whole run
  sleep "$((moment / 1000)).$(printf '%03d' $((moment % 1000)))"
  if interrupt "$pid" 2>/dev/null; then killed=$((killed + 1)); fi
  wait "$pid" 2>/dev/null || rc=$?
  case $rc in
    0) compare && completed=$((completed + 1)) && rm -rf "$folder/tortured" ;;
    137 | 143) ;;
    *) die "seed $seed, after $killed kills: exit code $rc: $(tail -1 "$folder/log")" ;;
  esac
done
(train tortured --resume) || die "the last resumption failed: $(tail -1 "$folder/log")"
compare
say "$killed kills with SIG$signal over $((completed + 1)) runs: final weights and traces identical in all"
