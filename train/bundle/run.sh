#!/usr/bin/env bash
# Trains what is in this bundle and packs the result. Needs a machine with axolotl and nothing else of Greenroom's:
#
#   pip install axolotl, by its manual, or its public image:  docker run --gpus all -it axolotlai/axolotl:main-latest
#
#   bash run.sh --check                     unpack, look whether this machine will do, and stop
#   tmux new -s greenroom bash run.sh       train; a lost connection does not end it (or: nohup bash run.sh &)
#   bash run.sh                             again after a kill or a reboot: it goes on from the last checkpoint
#
# What was made is result.tar (result.sealed if the bundle was sealed). Bring it home: greenroom personas add result.tar
set -euo pipefail

usage() {
  cat <<'USAGE'
bash run.sh [--check] [--anyway] [--wipe] [--passphrase-file FILE]

  --check                 unpack and look whether this machine will do; train nothing
  --anyway                train although the memory or the disk seems too small
  --wipe                  at the end, remove everything from here but the result
  --passphrase-file FILE  where the passphrase of a sealed bundle stands, in its first line; or set GREENROOM_PASSPHRASE

Progress is in progress.txt, axolotl's own words in work/logs/.
USAGE
}

die() {
  echo "run.sh: $*" >&2
  exit 2
}

say() {
  echo "$(date -u +%FT%TZ) $*" | tee -a "$here/progress.txt"
}

check_only=no wipe=no anyway=() passphrase_file=()
while (($#)); do
  case $1 in
    --check) check_only=yes ;;
    --wipe) wipe=yes ;;
    --anyway) anyway=(--anyway) ;;
    --passphrase-file)
      (($# > 1)) || die "--passphrase-file needs a file."
      passphrase_file=(--passphrase-file "$(realpath "$2")")
      shift
      ;;
    -h | --help)
      usage
      exit 0
      ;;
    *) die "there is no option $1; bash run.sh --help lists them." ;;
  esac
  shift
done

cd "$(dirname "${BASH_SOURCE[0]}")"
here=$PWD
umask 077

axolotl=$(command -v axolotl) ||
  die "axolotl is not on PATH. Use its image (axolotlai/axolotl:main-latest), or install it by its manual."
python=$(dirname "$axolotl")/python
[[ -x $python ]] || python=$(command -v python3) || die "there is no python beside $axolotl, and no python3 on PATH."

# The lock is handed on to every process started here: a training that outlived its run.sh still holds it, and one
# that was just killed lets go of it in a moment.
if command -v flock >/dev/null; then
  exec 9>.lock
  flock -w 5 9 || die "a run is under way in this folder (ps aux | grep axolotl); end it first, or wait for it."
fi

# What is unpacked appears as work/ whole or not at all.
if [[ ! -d work ]]; then
  rm -rf work.part
  mkdir work.part
  if [[ -f payload.sealed ]]; then
    "$python" sealing.py open payload.sealed payload.clear --lock .seal "${passphrase_file[@]}"
    tar -xzf payload.clear -C work.part || die "the bundle could not be unpacked. Is there space? Copy it here again."
    rm -f payload.clear
  elif [[ -f payload.tar.gz ]]; then
    tar -xzf payload.tar.gz -C work.part || die "the bundle could not be unpacked. Is there space? Copy it here again."
  else
    die "there is neither payload.tar.gz nor payload.sealed beside run.sh. Unpack the whole bundle: tar -xf BUNDLE"
  fi
  mv work.part work
fi
cd work
mkdir -p logs state

bin=$(dirname "$axolotl")
export PYTHONPATH=$PWD/code PYTHONDONTWRITEBYTECODE=1 PATH=$bin:$PATH
export AXOLOTL_DO_NOT_TRACK=1 DO_NOT_TRACK=1 HF_HUB_DISABLE_TELEMETRY=1 WANDB_MODE=disabled TOKENIZERS_PARALLELISM=false
# accelerate sets one thread unless told, which halves the speed of two cores.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-$(nproc)}
# Copies of the dataset that libraries make on the way stay in here, so that --wipe takes them too.
export HF_DATASETS_CACHE=$PWD/cache
if ((${#PWD} < 60)); then # sockets are made under TMPDIR, and their paths may have 108 characters
  mkdir -p tmp
  export TMPDIR=$PWD/tmp
fi
# A base that came along is all there is to read; one from Hugging Face is kept in HF_HOME, and read again from there.
[[ ! -d base ]] || export HF_HUB_OFFLINE=1

machine() { "$python" -m train.bundle.machine "$@"; }

machine check "${anyway[@]}"
if [[ $check_only == yes ]]; then
  echo "This machine will do. To train: bash run.sh"
  exit 0
fi
if [[ -t 1 && -z ${TMUX:-}${STY:-} ]]; then
  echo "If this connection is lost, training ends; bash run.sh goes on. Safer: tmux new -s greenroom bash run.sh"
fi

while IFS=$'\t' read -r -u 3 name config launcher state; do
  if [[ $state == "done" ]]; then
    continue
  fi
  say "$name: training"
  machine prepare "$name"
  options=()
  [[ $launcher == default ]] || options=(--launcher "$launcher")
  "$axolotl" train "$config" "${options[@]}" </dev/null 2>&1 | tee -a "logs/$name.log" ||
    die "axolotl stopped in $name; its last words are above and in work/logs/$name.log. bash run.sh goes on from there."
  machine finish "$name"
  say "$name: done"
done 3< <(machine stages)

# The held-out loss of each adapter. Without it the personas are as good; only nobody knows how good.
mapfile -t scoring < <(machine scoring)
if ((${#scoring[@]})) && [[ -n ${scoring[0]} && ! -f state/scores.json ]]; then
  say "scoring on what was held out"
  "$python" -m train.score "${scoring[@]}" 2>&1 | tee -a logs/score.log || say "scoring failed; going on without (logs/score.log)"
fi

machine pack "$PWD/result.tar"
cd ..
if [[ -f .seal ]]; then
  "$python" sealing.py seal work/result.tar result.sealed --lock .seal
  rm -f work/result.tar
  result=result.sealed
else
  mv work/result.tar result.tar
  result=result.tar
fi
if [[ $wipe == yes ]]; then
  rm -rf work .seal payload.tar.gz payload.sealed sealing.py
fi
say "$result is packed ($(du -h "$result" | cut -f1)). At home: greenroom personas add $result"
