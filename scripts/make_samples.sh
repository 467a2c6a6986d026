#!/usr/bin/env bash
# Make the sample cast's adapters again, from its exports to samples/personas. About an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/.."
models=$(realpath "${GREENROOM_DATA:-data}/models")
export GREENROOM_DATA=${1:-data/samples}
greenroom=.venv/bin/greenroom
mkdir -p -m 700 "$GREENROOM_DATA"
ln -sfn "$models" "$GREENROOM_DATA/models"
# WhatsApp exports do not say their time zone; the cast lives one hour ahead of UTC (POSIX writes that with a minus).
$greenroom import samples/exports --timezone Etc/GMT-1
$greenroom dataset --all --min-messages 500 --max-tokens 1024 --force
$greenroom train smollm2-lora-cpu --per-persona
for folder in "$GREENROOM_DATA"/personas/*/; do
  full=$(basename "$folder")
  id=${full%%-*}  # the cast go by their first names
  mkdir -p "samples/personas/$id"
  rm -rf "samples/personas/$id/adapter"
  # The sample cast has one version each; made here, it is the newest of the folder's.
  cp -r "$(ls -d "$folder"versions/*/ | sort -V | tail -n 1)adapter" "samples/personas/$id/"
  # The line about the person is written by hand; the rest of the card is the run's.
  about=$(grep -m1 '^about = ' "samples/personas/$id/persona.toml" 2>/dev/null || true)
  { echo "$about"; grep -v '^version = ' "$folder/persona.toml"; } | sed '/^$/{1d}' > "samples/personas/$id/persona.toml.new"
  mv "samples/personas/$id/persona.toml.new" "samples/personas/$id/persona.toml"
done
echo "The new adapters are in samples/personas, each with the losses it was measured at in its card."
