#!/usr/bin/env bash
# Trains a config with SkyPilot, which finds the machines and recovers the job; arguments go to colorize-train.
#
#   BUCKET=... launch/skypilot.sh --config=scc:data=imagenet_val --workdir=/bucket/runs/imagenet \
#     --config.data.dir=/bucket/data
#   EXTRA=gpu ACCELERATORS=H100:8 NODES=2 EXPECT_DEVICES=16 launch/skypilot.sh ...
#   DRY_RUN=1 launch/skypilot.sh ...    # or --dry_run first: prints what would run
set -euo pipefail

NAME=${NAME:-colorize}
BUCKET=${BUCKET:?the bucket with data and runs, with a hierarchical namespace}
EXTRA=${EXTRA:-tpu}
ACCELERATORS=${ACCELERATORS:-} # by default those of skypilot.yaml
NODES=${NODES:-1}              # a TPU slice is one node of SkyPilot's, however many hosts it has
EXPECT_DEVICES=${EXPECT_DEVICES:-16}
DRY_RUN=${DRY_RUN:-0}
if [[ ${1:-} == --dry_run ]]; then DRY_RUN=1 && shift; fi

run() {
  if ((DRY_RUN)); then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

cd "$(dirname "$0")/.."
run sky jobs launch --yes "--name=$NAME" "--num-nodes=$NODES" ${ACCELERATORS:+"--gpus=$ACCELERATORS"} \
  --env "ARGUMENTS=$(printf '%q ' "$@")" --env "EXTRA=$EXTRA" --env "EXPECT_DEVICES=$EXPECT_DEVICES" \
  --env "BUCKET=${BUCKET#gs://}" launch/skypilot.yaml
