#!/usr/bin/env bash
# Train under slurm:
#   GPUS=8 tools/slurm_train.sh PARTITION JOB_NAME CONFIG [WORK_DIR] ARGUMENTS...
# --share-batch: the config's batch_size is that of all processes together, so the result stays the same.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,4p' "$0"; exit 2; }
partition=$1 job=$2 config=$3
shift 3
[ $# -eq 0 ] || [[ $1 == -* ]] || set -- --work-dir "$@"
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/slurm_run.sh" "$partition" "$job" "$here/train.py" "$config" "$@" --share-batch
