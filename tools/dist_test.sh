#!/usr/bin/env bash
# Test in several processes, as mmsegmentation's script of this name:
#   tools/dist_test.sh CONFIG CHECKPOINT NPROC ARGUMENTS...
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,3p' "$0"; exit 2; }
config=$1 checkpoint=$2 processes=$3
shift 3
here=$(cd "$(dirname "$0")" && pwd)
exec "$here/dist_run.sh" "$here/test.py" "$processes" "$config" "$checkpoint" "$@"
