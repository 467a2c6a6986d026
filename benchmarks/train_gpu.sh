#!/usr/bin/env bash
# LoRA and FSDP (one rank) on a model of 7B shape with random weights: tokens a second, memory, and their ratio against
# the original way (no packing, sessions padded to the longest of a batch).
#
#   bash benchmarks/train_gpu.sh [--dry-run] [--layers 32] [--steps 30] [--out FOLDER]
#
# Needs one GPU of 80 GB with axolotl and flash attention (its public image has both), on PATH or in .venv-train, and
# 20 GB of disk. Not run yet: there was no GPU where it was written. --dry-run prints what it would do and needs
# neither. FSDP on one rank keeps weights, gradients and optimizer on one card, 16 bytes a weight, so it takes half the
# layers. Prints a table; each run's log and peak memory stay in FOLDER.
set -euo pipefail
cd "$(dirname "$0")/.."

dry=0 layers=32 steps=30 out=${TMPDIR:-/tmp}/greenroom-train-gpu
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry=1 ;;
    --layers) layers=${2:?--layers needs a number}; shift ;;
    --steps) steps=${2:?--steps needs a number}; shift ;;
    --out) out=${2:?--out needs a folder}; shift ;;
    *) sed -n '2,12s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
  esac
  shift
done

if [ -x .venv-train/bin/axolotl ]; then
  PATH=$PWD/.venv-train/bin:$PATH
fi
export PATH PYTHONPATH=$PWD HF_HUB_OFFLINE=1 AXOLOTL_DO_NOT_TRACK=1 DO_NOT_TRACK=1 WANDB_MODE=disabled

# Each run: a name, the recipe, the layers of its model, and what is changed in the recipe, as YAML.
half=$(( (layers + 1) / 2 ))
packed='sample_packing: true, group_by_length: false, pad_to_sequence_len: true, micro_batch_size: 4'
padded='sample_packing: false, group_by_length: false, pad_to_sequence_len: false, micro_batch_size: 8'
padded_fsdp='sample_packing: false, group_by_length: false, pad_to_sequence_len: false, micro_batch_size: 2'
packed_fsdp='sample_packing: true, group_by_length: false, pad_to_sequence_len: true, micro_batch_size: 2'
runs=(
  "lora-packed|dolphin-mistral-lora|$layers|$packed"
  "lora-original|dolphin-mistral-lora|$layers|$padded"
  "fsdp-packed|mistral-fsdp|$half|$packed_fsdp"
  "fsdp-original|mistral-fsdp|$half|$padded_fsdp"
)

run() {
  if [ "$dry" = 1 ]; then
    printf '%q ' "$@"
    echo
  else
    "$@"
  fi
}

if [ "$dry" = 0 ]; then
  command -v axolotl > /dev/null || { echo 'axolotl is missing: make setup-train, or its public image' >&2; exit 2; }
  command -v nvidia-smi > /dev/null || { echo 'there is no NVIDIA GPU here; see --dry-run' >&2; exit 2; }
fi

run mkdir -p "$out"
run python -m benchmarks.train_gpu_parts prepare --out "$out" --layers "$layers" --half "$half"
for entry in "${runs[@]}"; do
  IFS='|' read -r name recipe deep changes <<< "$entry"
  run python -m benchmarks.train_gpu_parts recipe --out "$out" --name "$name" --recipe "$recipe" \
    --layers "$deep" --steps "$steps" --changes "{$changes}"
  # FSDP wants a rank of its own even where there is one; LoRA runs in the launcher's only process.
  if [ "$dry" = 1 ]; then
    run axolotl train "$out/$name/config.yml" --launcher torchrun -- --nproc_per_node 1
    continue
  fi
  nvidia-smi --query-gpu=memory.used --format=csv,noheader,nounits -lms 500 > "$out/$name/memory_mib" &
  watch=$!
  axolotl train "$out/$name/config.yml" --launcher torchrun -- --nproc_per_node 1 > "$out/$name/log" 2>&1 \
    || echo "$name failed: $out/$name/log" >&2
  kill "$watch" 2> /dev/null || true
  wait "$watch" 2> /dev/null || true
done
run python -m benchmarks.train_gpu_parts table --out "$out"
