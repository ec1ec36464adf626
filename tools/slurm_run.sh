#!/usr/bin/env bash
# Run a tool under slurm, one process per GPU:
#   GPUS=16 GPUS_PER_NODE=8 CPUS_PER_TASK=6 tools/slurm_run.sh PARTITION JOB_NAME TOOL ARGUMENTS...
# Further arguments of srun go into SRUN_ARGS. make_maps.py, make_masks.py, train.py and test.py all take it.
set -euo pipefail
[ $# -ge 3 ] || { sed -n '2,4p' "$0"; exit 2; }
partition=$1 job=$2 tool=$3
shift 3
gpus=${GPUS:-8} per_node=${GPUS_PER_NODE:-8}
[ "$per_node" -le "$gpus" ] || per_node=$gpus
extra=()  # words as a shell reads them, quotes included
while IFS= read -r word; do
    [ -z "$word" ] || extra+=("$word")
done < <(xargs -n1 printf '%s\n' <<<"${SRUN_ARGS:-}")
exec srun --partition="$partition" --job-name="$job" --gres="gpu:$per_node" \
    --ntasks="$gpus" --ntasks-per-node="$per_node" --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 ${extra[@]+"${extra[@]}"} \
    "${PYTHON:-python}" -u "$tool" "$@" --launcher=slurm
