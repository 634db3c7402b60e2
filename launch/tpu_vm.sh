#!/usr/bin/env bash
# Trains a config on a Cloud TPU VM slice with gcloud, and goes on after a preemption.
#
#   launch/tpu_vm.sh train --config=scc:data=imagenet_val --workdir=runs/imagenet --config.data.dir=data
#   launch/tpu_vm.sh delete     # the slice costs money until then
#   launch/tpu_vm.sh create | install | status
#   DRY_RUN=1 launch/tpu_vm.sh ...    # or --dry_run first: prints what would run
#
# `train` makes and installs what is missing, runs colorize-train on all workers and waits. Where the slice was
# preempted it is deleted, made again and the same command run again; exit code 75 (stopped by SIGTERM, all saved), a
# kill and a lost connection start the command again; a failure of the program itself ends the script with its code.
# On the workers `data` is a copy of DATA, and `runs` is the bucket BUCKET: checkpoints outlive the slice only there.
set -uo pipefail

NAME=${NAME:-colorize}
PROJECT=${PROJECT:-} # by default gcloud's
ZONE=${ZONE:-us-central1-a}
TYPE=${TYPE:-v5litepod-16} # gcloud compute tpus accelerator-types list --zone=$ZONE
VERSION=${VERSION:-v2-alpha-tpuv5-lite}
SPOT=${SPOT:-1}
EXPECT_DEVICES=${EXPECT_DEVICES:-16} # chips (v2 and v3: cores) of TYPE
DATA=${DATA:-}     # gs://BUCKET/FOLDER with prepared data (colorize-data)
BUCKET=${BUCKET:-} # with a hierarchical namespace: a checkpoint is complete when its folder is renamed
PYTHON=${PYTHON:-3.12}
RESTARTS=${RESTARTS:-20}
RETRY_S=${RETRY_S:-60}
DRY_RUN=${DRY_RUN:-0}
if [[ ${1:-} == --dry_run ]]; then DRY_RUN=1 && shift; fi

repository=$(cd "$(dirname "$0")/.." && pwd)
fresh=0 # whether the slice was made and nothing is installed

run() {
  if ((DRY_RUN)); then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

tpu_vm() { # VERB [ARGUMENT ...]
  run gcloud compute tpus tpu-vm "$@" ${PROJECT:+"--project=$PROJECT"} "--zone=$ZONE" --quiet
}

on_all_workers() { # COMMAND, for a shell
  tpu_vm ssh "$NAME" --worker=all "--command=$1"
}

state() {
  local now=ABSENT
  if ! ((DRY_RUN)); then now=$(tpu_vm describe "$NAME" '--format=value(state)' 2>/dev/null) || now=ABSENT; fi
  echo "$now"
}

create() {
  local spot=()
  if ((SPOT)); then spot=(--spot); fi
  tpu_vm create "$NAME" "--accelerator-type=$TYPE" "--version=$VERSION" --scopes=cloud-platform "${spot[@]}"
}

delete() { tpu_vm delete "$NAME"; }

# The commit that is checked out goes to the workers: they need no access to the repository.
install() {
  local archive=${TMPDIR:-/tmp}/colorize_jax-$NAME.tar.gz mount="mkdir -p runs" copy="true"
  run git -C "$repository" archive --format=tar.gz --prefix=colorize_jax/ --output="$archive" HEAD || return
  tpu_vm scp "$archive" "$NAME:colorize_jax.tar.gz" --worker=all || return
  run rm -f "$archive"
  if [[ -n $BUCKET ]]; then mount=$(mount_bucket); fi
  if [[ -n $DATA ]]; then copy="mkdir -p data && gcloud storage rsync $(printf %q "$DATA") data --recursive"; fi
  on_all_workers "set -e
    tar xzf colorize_jax.tar.gz
    python3 -m pip install --user --quiet uv
    ~/.local/bin/uv venv --quiet --clear --python $(printf %q "$PYTHON") colorize
    ~/.local/bin/uv pip install --quiet --python colorize './colorize_jax[tpu,train]'
    $mount
    $copy"
}

mount_bucket() {
  cat <<END
command -v gcsfuse >/dev/null || {
      curl -fsSL https://packages.cloud.google.com/apt/doc/apt-key.gpg | sudo tee /usr/share/keyrings/cloud.google.asc >/dev/null
      echo "deb [signed-by=/usr/share/keyrings/cloud.google.asc] https://packages.cloud.google.com/apt gcsfuse-\$(lsb_release -cs) main" |
        sudo tee /etc/apt/sources.list.d/gcsfuse.list
      sudo apt-get -qq update && sudo apt-get -qq install -y gcsfuse
    }
    mkdir -p runs
    mountpoint -q runs || gcsfuse --implicit-dirs $(printf %q "${BUCKET#gs://}") runs
END
}

# A worker may still run the command of a connection that was lost; it saves and makes room.
train_once() { # ARGUMENT ...
  on_all_workers "if [ -s train.pid ] && kill -TERM \$(cat train.pid) 2>/dev/null; then
      tail --pid=\$(cat train.pid) -f /dev/null
    fi
    colorize/bin/colorize-train --multihost --expect_devices=$EXPECT_DEVICES $(printf '%q ' "$@")& echo \$! >train.pid
    wait \$!"
}

ready() {
  local now
  now=$(state)
  case $now in
    READY) ;;
    ABSENT) create && fresh=1 || return ;;
    PREEMPTED | TERMINATED)
      echo "$NAME is $now; making it again" >&2
      delete && create && fresh=1 || return
      ;;
    *)
      echo "$NAME is $now; waiting for READY" >&2
      return 1
      ;;
  esac
  if ((fresh)); then install && fresh=0; fi
}

train() { # ARGUMENT ...
  local start code=1
  for ((start = 0; start <= RESTARTS; start++)); do
    if ((start)); then
      echo "starting again ($start/$RESTARTS)" >&2
      sleep "$RETRY_S"
    fi
    ready || continue
    train_once "$@"
    code=$?
    case $code in
      0) return 0 ;;
      75 | 134 | 137 | 143 | 255) ;; # told to stop, ended with another worker, killed, disconnected
      *) if [[ $(state) == READY ]]; then return "$code"; fi ;;
    esac
    echo "stopped with exit code $code" >&2
  done
  return "$code"
}

trap 'echo "stopped here; $NAME runs on and costs money until: $0 delete" >&2; exit 130' INT
command=${1:-}
shift
case $command in
  create | install | delete) "$command" ;;
  status) tpu_vm describe "$NAME" '--format=value(state)' ;;
  train) train "$@" ;;
  *)
    echo "usage: $0 [--dry_run] train ARGUMENTS-OF-COLORIZE-TRAIN | create | install | status | delete" >&2
    exit 1
    ;;
esac
