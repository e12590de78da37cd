#!/usr/bin/env bash
# GGPO on machines that are reached over ssh: infra/deploy/hosts/train.sh HOSTFILE RECIPE [RUN_NAME]
# HOSTFILE has a line `host slots=devices` for each of them; they see the same installation and VIMRAG_ROOT.
set -euo pipefail

hosts=${1:?a file of lines: host slots=devices}
recipe=${2:?which recipe? see orchestration/recipes/registry.py}
run=${3:-$recipe}
: "${VIMRAG_ROOT:?where corpus, index and checkpoints live: a folder that all hosts see, or s3://bucket/prefix}"

# in base64, as a shell of a host would eat the quotes of JSON
record=$(python -m orchestration.launch.record "$recipe" "$run" | base64 --wrap=0 | tr '+/' '-_')
exec python -m infra.workers.supervisor --grace-s 120 -- \
  python -m orchestration.launch.exported "$hosts" orchestration.runs train_ggpo --config-base64 "$record"
