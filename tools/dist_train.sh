#!/usr/bin/env bash
# Train in several processes, as mmsegmentation's script of this name:
#   tools/dist_train.sh CONFIG NPROC ARGUMENTS...
# --share-batch: the config's batch_size is that of all processes together, so the result stays the same.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,4p' "$0"; exit 2; }
config=$1 processes=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/dist_run.sh" "$here/train.py" "$processes" "$config" --share-batch "$@"
