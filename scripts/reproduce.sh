#!/usr/bin/env bash
# Trains the runs of a figure or table of the APO paper, draws it, and writes what came out into results/ and docs/reproduction.md.
# Usage: scripts/reproduce.sh list | all | FIGURE… [--only PATTERN] [--scale smoke|cpu|gpu|full] [--jobs N] [--runs FOLDER]
#   list       the figures, one a line
#   --only     of a figure's configurations those of such names, as '*_pbt'; what results/ has of the others stays
#   --scale    full: the paper's setting; cpu: what two cores finish in an hour or two; gpu: of some figures, what a GPU does in
#              minutes; smoke: a few steps, to see that it works, whose results are not kept; default: cpu
#   --jobs     runs at a time, which share the cores; default 1
#   --runs     folder of the runs; default runs/paper
# A run that is there already is kept, one that was interrupted goes on. Data: $APO_DATA_ROOT, or data/.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=scripts/common.sh
source scripts/common.sh

figures() { find configs/paper -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | sort -V; }

# train FIGURE CONFIG: one run, or a grid. A divergence is a result, too.
train() {
  local arguments=() line name
  name=$(basename "$2" .yaml)
  begin "$runs/$scale/$1/$name" "paper/$1/$name" "$scale"
  while read -r line; do arguments+=(--set "$line"); done < <(paper settings "paper/$1/$name" "$scale")
  train_once "$runs/$scale/$1" "$name" "paper/$1/$name" --threads "$threads" --progress off "${arguments[@]}" || [[ $? =~ ^[45]$ ]]
}

# What is no training run: the arguments of apo-study.
study() {
  local folder=$runs/$scale/$1 arguments
  mapfile -t arguments < <(grep -v '^#' "configs/paper/$1/study")
  if [ "$scale" = smoke ] && [ "${arguments[0]}" = table2 ]; then arguments+=(--evaluations 3); fi
  if [ -e "$folder/study.json" ]; then return; fi
  begin "$folder/study" "paper/$1/study" "$scale"
  git rev-parse --short=12 HEAD >"$folder/study.commit" 2>/dev/null || echo unknown >"$folder/study.commit"
  OMP_NUM_THREADS=1 "${APO_STUDY:-build/default/bin/apo-study}" --output "$folder/study.json" "${arguments[@]}"
}

reproduce() {
  local figure=$1
  say "$figure, scale $scale"
  if [ "$only" = '*' ] && [ -e "configs/paper/$figure/study" ]; then study "$figure"; fi
  export -f train train_once ended begin paper
  export runs scale threads root
  find "configs/paper/$figure" -name "$only.yaml" | sort | xargs -r -P "$jobs" -I{} bash -euo pipefail -c "train $figure {}"
  if [ "$scale" = smoke ]; then return; fi
  if compgen -G "configs/paper/$figure/*.yaml" >/dev/null; then
    "${APO_TRAIN:-build/default/bin/apo-train}" --report "$runs/$scale/$figure/$figure.html" "$runs/$scale/$figure"/*/
  fi
  paper collect "$runs/$scale/$figure" "$scale" "$figure" "$only"
  paper reproduction
}

scale=cpu jobs=1 runs=runs/paper only='*' chosen=()
while [ $# -gt 0 ]; do
  case $1 in
    --scale | --jobs | --runs | --only)
      [ $# -gt 1 ] || die "$1 needs a value"
      declare "${1#--}=$2"
      shift
      ;;
    list) figures && exit ;;
    all) mapfile -t chosen < <(figures) ;;
    -h | --help) usage && exit ;;
    -*) die "unknown option '$1'; accepted: --only, --scale, --jobs, --runs, --help" ;;
    *) chosen+=("$1") ;;
  esac
  shift
done
[[ $scale =~ ^(smoke|cpu|gpu|full)$ ]] || die "--scale $scale: accepted: smoke, cpu, gpu, full"
[ ${#chosen[@]} -gt 0 ] || die "name a figure, or 'all'; there are: $(figures | tr '\n' ' ')"
for figure in "${chosen[@]}"; do
  [ -d "configs/paper/$figure" ] || die "no figure '$figure'; there are: $(figures | tr '\n' ' ')"
  [ "$only" = '*' ] || compgen -G "configs/paper/$figure/$only.yaml" >/dev/null || die "--only $only: $figure has no such configuration; see configs/paper/$figure"
done
[[ $jobs =~ ^[1-9][0-9]*$ ]] || die "--jobs $jobs: accepted: 1, 2, …"
threads=$(($(env -u OMP_NUM_THREADS nproc) / jobs))
[ "$threads" -ge 1 ] || threads=1
for figure in "${chosen[@]}"; do reproduce "$figure"; done
