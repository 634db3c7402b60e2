#!/usr/bin/env bash
# Trains a config on TPU slices of GKE as a JobSet; every argument goes to colorize-train.
#
#   IMAGE=... BUCKET=... launch/gke_jobset.sh --config=scc:data=imagenet_val \
#     --workdir=/bucket/runs/imagenet --config.data.dir=/bucket/data
#   DRY_RUN=1 launch/gke_jobset.sh ...    # or --dry_run first: prints the manifest
#
# The bucket is mounted at /bucket in every pod. Kubernetes starts the set again when a pod is preempted or killed.
set -euo pipefail

NAME=${NAME:-colorize}
IMAGE=${IMAGE:?the image that launch/Dockerfile makes, in a registry that the cluster reads}
BUCKET=${BUCKET:?the bucket with data and runs, with a hierarchical namespace}
SERVICE_ACCOUNT=${SERVICE_ACCOUNT:-default} # of Kubernetes, with access to the bucket
TPU=${TPU:-tpu-v5-lite-podslice}
TOPOLOGY=${TOPOLOGY:-4x4}
HOSTS=${HOSTS:-4} # of a slice; 4x4 of v5e has four
CHIPS=${CHIPS:-4} # of a host
SLICES=${SLICES:-1}
RESTARTS=${RESTARTS:-20}
DRY_RUN=${DRY_RUN:-0}
if [[ ${1:-} == --dry_run ]]; then DRY_RUN=1 && shift; fi

folder=$(cd "$(dirname "$0")" && pwd)
BUCKET=${BUCKET#gs://}
export NAME IMAGE BUCKET SERVICE_ACCOUNT TPU TOPOLOGY HOSTS CHIPS SLICES RESTARTS

# JSON is YAML: whatever a value holds, it stays one value.
render() {
  python3 - "$folder/gke_jobset.yaml" --multihost "--expect_processes=$((SLICES * HOSTS))" \
    "--expect_devices=$((SLICES * HOSTS * CHIPS))" "$@" <<'END'
import json, os, string, sys

numbers = {name: int(os.environ[name]) for name in ("HOSTS", "CHIPS", "SLICES", "RESTARTS")}
values = {**os.environ, **numbers, "ARGUMENTS": sys.argv[2:]}
with open(sys.argv[1]) as template:
    print(string.Template(template.read()).substitute({k: json.dumps(v) for k, v in values.items()}), end="")
END
}

if ((DRY_RUN)); then
  render "$@"
else
  render "$@" | kubectl apply --filename=-
fi
