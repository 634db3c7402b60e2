#!/usr/bin/env bash
# Trains a config on this machine and goes on after a kill or a preemption; every argument goes to colorize-train.
#
#   launch/local.sh --config=scc --workdir=runs/scc_lfw
#   PROCESSES=2 launch/local.sh --config=... --workdir=...    # a multi-host program on one machine
#   DRY_RUN=1 launch/local.sh ...                             # or --dry_run first: prints what would run
#
# Exit code 75 means "stopped by SIGTERM, all saved", and 137 "killed": both are started again, at most RESTARTS
# times. SIGTERM or Ctrl-C to this script stops it for good, with all saved.
set -uo pipefail

PROCESSES=${PROCESSES:-1} # one process uses all GPUs of a machine; more are for trying out what a pod does
RESTARTS=${RESTARTS:-10}
PORT=${PORT:-} # of the first process; by default another one at each start
DRY_RUN=${DRY_RUN:-0}
if [[ ${1:-} == --dry_run ]]; then DRY_RUN=1 && shift; fi

stopped=0
pids=()
# shellcheck disable=SC2329 # the trap calls it
stop() {
  stopped=1
  if ((${#pids[@]})); then kill -TERM "${pids[@]}" 2>/dev/null; fi
}
trap stop TERM INT

launch() {
  if ((DRY_RUN)); then
    printf '%q ' "$@"
    echo
  else
    "$@" &
    pids+=("$!")
  fi
}

start_all() {
  local port=${PORT:-$((20000 + RANDOM % 10000))} id
  pids=()
  if ((PROCESSES == 1)); then
    launch colorize-train "$@"
    return
  fi
  for ((id = 0; id < PROCESSES; id++)); do
    launch colorize-train "$@" --multihost "--coordinator=127.0.0.1:$port" "--processes=$PROCESSES" "--process_id=$id"
  done
}

# Sets `code` for all processes together. A process that failed takes the others down with it, and they with other
# codes: what asks for a restart counts first, then the smallest code, which is the one that tells a mistake.
await_all() {
  local pid own
  code=0
  for pid in "${pids[@]}"; do
    wait "$pid"
    own=$?
    while kill -0 "$pid" 2>/dev/null; do # a signal to this script ended the wait, not the process
      wait "$pid"
      own=$?
    done
    if ((own == 75 || own == 137)); then
      code=$own
    elif ((own != 0 && code != 75 && code != 137 && (code == 0 || own < code))); then
      code=$own
    fi
  done
}

for ((start = 0; start <= RESTARTS; start++)); do
  start_all "$@"
  if ((DRY_RUN)); then exit 0; fi
  await_all
  if ((stopped || (code != 75 && code != 137))); then
    exit "$code"
  fi
  echo "stopped with exit code $code; starting again ($((start + 1))/$RESTARTS)" >&2
done
exit "$code"
