#!/usr/bin/env bash
# Starts a Slurm of its own on this machine, with several virtual nodes, runs a command in it and takes it all down.
# Usage: scripts/slurm_sandbox.sh [--nodes N] [--cpus N] [--keep FOLDER] COMMAND…
#   --nodes   virtual nodes, all on this machine; default: 3
#   --cpus    of each node, whatever the machine has; default: 2
#   --keep    copies the daemons' logs into this folder at the end
# Jobs in the partition "urgent" preempt others: those in the default one are requeued, those in "cheap" cancelled after a minute.
# COMMAND finds sbatch, squeue and scontrol talking to this Slurm (SLURM_CONF), which knows nothing of any other. All of it lives in a
# temporary folder, on free ports, as the user who calls, and ends with this script. Exit code: COMMAND's; 77 where Slurm is not installed.
# Needs Debian's slurm-wlm and munge: scripts/setup.sh --dev.
# shellcheck disable=SC2317  # functions are called by their names
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

nodes=3 cpus=2 keep=''
while [ $# -gt 0 ]; do
  case $1 in
    -h | --help) usage && exit ;;
    --nodes | --cpus | --keep)
      [ $# -gt 1 ] || die "$1 needs a value"
      declare "${1#--}=$2"
      shift 2
      ;;
    -*) die "unknown option '$1'; accepted: --nodes N, --cpus N, --keep FOLDER, --help, and a command" ;;
    *) break ;;
  esac
done
for number in nodes cpus; do
  [[ ${!number} =~ ^[1-9][0-9]*$ ]] || die "--$number ${!number}: accepted: 1, 2, …"
done
[ $# -gt 0 ] || die "a command is missing; see --help"

PATH=$PATH:/usr/sbin # where the daemons are, of which a user's PATH need not know
for program in munged slurmctld slurmd sbatch; do
  if ! command -v "$program" >/dev/null; then
    say "skipped: $program is not here; scripts/setup.sh --dev installs Slurm (Debian's slurm-wlm and munge)"
    exit 77
  fi
done

sandbox=$(mktemp -d)
chmod 711 "$sandbox" # munged wants its socket reachable for all
daemons=()

# daemon COMMAND…: in the background until this script ends, however that ends.
daemon() {
  setpriv --pdeathsig KILL "$@" >>"$sandbox/log/out" 2>&1 &
  daemons+=($!)
}

# Jobs end before the daemons that watch over them.
stop() {
  trap - EXIT
  scancel --user="$(id -un)" --signal=KILL --full 2>/dev/null || true
  scancel --user="$(id -un)" 2>/dev/null || true
  soon queue_is_empty || true
  kill "${daemons[@]}" 2>/dev/null || true
  wait "${daemons[@]}" 2>/dev/null || true
  if [ -n "$keep" ]; then mkdir -p "$keep" && cp -r "$sandbox"/log/. "$keep"; fi
  rm -rf "$sandbox"
}
trap stop EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

queue_is_empty() { [ -z "$(squeue --noheader 2>/dev/null)" ]; }
nodes_are_idle() { [ "$(sinfo --noheader --Node --partition=all --states=idle 2>/dev/null | wc -l)" = "$nodes" ]; }

# soon TEST: waits for it, a minute at the most, and while all daemons live.
soon() {
  local end=$((SECONDS + 60)) daemon
  while [ "$SECONDS" -lt "$end" ]; do
    ! "$1" || return 0
    for daemon in "${daemons[@]}"; do kill -0 "$daemon" 2>/dev/null || return 1; done
    sleep 0.1
  done
  return 1
}

free_ports() {
  python3 - "$1" <<'END'
import socket, sys
sockets = [socket.socket() for _ in range(int(sys.argv[1]))]
for one in sockets:
    one.bind(("127.0.0.1", 0))
print(*(one.getsockname()[1] for one in sockets))
END
}

# configuration CONTROLLER_PORT NODE_PORT…
# What differs from a cluster's: nodes are names on one machine; nothing is confined (no control groups); a job may start again five
# seconds after its requeue (cred_expire), not two minutes; KillWait is what the program has to save between SIGTERM and SIGKILL.
configuration() {
  local host node=0
  host=$(uname -n)
  host=${host%%.*}
  cat <<END
ClusterName=sandbox
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$1
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
AuthType=auth/munge
AuthInfo=socket=$sandbox/munge.socket,cred_expire=5
StateSaveLocation=$sandbox/state
SlurmdSpoolDir=$sandbox/spool.%n
SlurmctldPidFile=$sandbox/slurmctld.pid
SlurmdPidFile=$sandbox/slurmd.%n.pid
SlurmctldLogFile=$sandbox/log/slurmctld
SlurmdLogFile=$sandbox/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,batch_sched_delay=0,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=20
MailProg=/bin/true
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=1 State=UP
PartitionName=cheap Nodes=ALL MaxTime=INFINITE PriorityTier=1 PreemptMode=CANCEL GraceTime=60 State=UP
PartitionName=urgent Nodes=ALL MaxTime=INFINITE PriorityTier=2 State=UP
END
  shift
  for port in "$@"; do
    node=$((node + 1))
    printf 'NodeName=node%d NodeHostname=%s NodeAddr=127.0.0.1 Port=%d CPUs=%d State=UNKNOWN\n' "$node" "$host" "$port" "$cpus"
  done
}

mkdir "$sandbox"/{log,state}
read -ra ports < <(free_ports $((nodes + 1)))
export SLURM_CONF=$sandbox/slurm.conf
configuration "${ports[@]}" >"$SLURM_CONF"
# Not looked for where there are none that may be written, as in containers.
echo CgroupPlugin=cgroup/v1 >"$sandbox/cgroup.conf"
(umask 077 && head -c 1024 /dev/urandom >"$sandbox/key")
daemon munged --foreground --key-file="$sandbox/key" --socket="$sandbox/munge.socket" --pid-file="$sandbox/munged.pid" \
  --log-file="$sandbox/log/munged" --seed-file="$sandbox/seed"
munge_listens() { [ -S "$sandbox/munge.socket" ]; }
soon munge_listens || die "munged does not start: $(tail -n 1 "$sandbox/log/out")"
daemon slurmctld -D -f "$SLURM_CONF"
for ((node = 1; node <= nodes; ++node)); do daemon slurmd -D -f "$SLURM_CONF" -N "node$node"; done
if ! soon nodes_are_idle; then
  tail -n 5 "$sandbox"/log/* >&2
  die "Slurm does not start; see above"
fi

rc=0
"$@" || rc=$?
exit "$rc"
