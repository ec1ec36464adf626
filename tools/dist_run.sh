#!/usr/bin/env bash
# Run a tool in several processes on this machine, or on each of several:
#   tools/dist_run.sh TOOL NPROC ARGUMENTS...
#   tools/dist_run.sh tools/make_maps.py 8 configs/cam/cam_r50_voc.py epoch_5.pth --out work_dirs/maps
# Several machines: run it on each with NNODES, NODE_RANK (0, 1, ...), MASTER_ADDR (the first machine), PORT.
set -euo pipefail
[ $# -ge 2 ] || { sed -n '2,5p' "$0"; exit 2; }
tool=$1 processes=$2
shift 2
exec "${PYTHON:-python}" -m torch.distributed.run \
    --nnodes "${NNODES:-1}" --node-rank "${NODE_RANK:-0}" \
    --master-addr "${MASTER_ADDR:-127.0.0.1}" --master-port "${PORT:-29500}" \
    --nproc-per-node "$processes" "$tool" "$@" --launcher pytorch
