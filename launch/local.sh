#!/usr/bin/env bash
# Trains a config on this machine and goes on after a kill or a preemption; every argument goes to colorize-train.
#
#   launch/local.sh --config=configs/scc_lfw.py --workdir=runs/scc_lfw
#
# Exit code 75 means "stopped by SIGTERM, all saved", and 137 "killed": both are started again, at most RESTARTS times.
set -uo pipefail

restarts=${RESTARTS:-10}
for ((start = 0; start <= restarts; start++)); do
  colorize-train "$@"
  code=$?
  if ((code != 75 && code != 137)); then
    exit "$code"
  fi
  echo "stopped with exit code $code; starting again ($((start + 1))/$restarts)" >&2
done
exit "$code"
