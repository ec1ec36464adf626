#!/usr/bin/env bash
# Train under slurm, as mmsegmentation's script of this name:
#   GPUS=8 tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR ARGUMENTS...
set -euo pipefail
[ $# -ge 4 ] || { sed -n '2,3p' "$0"; exit 2; }
partition=$1 job=$2 config=$3 work_dir=$4
shift 4
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/slurm_run.sh" "$partition" "$job" "$here/train.py" "$config" --work-dir "$work_dir" --share-batch "$@"
