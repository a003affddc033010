#!/usr/bin/env bash
# Trains one configuration with several proximal weights λ and compares the runs.
# Usage: scripts/sweep_lambda.sh CONFIG LAMBDA… [-- apo-train's options…]
# Example: scripts/sweep_lambda.sh configs/mnist_mlp_sgd_apo.yaml 1e-1 1e-2 1e-3 -- --overwrite
# A run is named after the configuration's file: <stem>_lambda_<λ>. One that fails does not stop the others.
# (A list in the configuration, `lambda: [1e-1, 1e-2]`, does the same within one command.)
# Environment: APO_TRAIN, the program; default: build/default/bin/apo-train
set -euo pipefail
# shellcheck source=scripts/common.sh
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

case ${1:-} in -*) help_or_words "CONFIG LAMBDA… [-- apo-train's options…]" "$@" ;; esac
[ $# -ge 2 ] || die "usage: ${0##*/} CONFIG LAMBDA… [-- apo-train's options…]"
program=${APO_TRAIN:-$root/build/default/bin/apo-train}
[ -x "$program" ] || die "$program is not there; build it with scripts/build.sh"
config=$1 lambdas=() output=runs
shift
while [ $# -gt 0 ] && [ "$1" != -- ]; do lambdas+=("$1") && shift; done
[ $# -eq 0 ] || shift
options=("$@")
for ((i = 0; i < $#; ++i)); do
  case ${options[i]} in
    --output) output=${options[i + 1]:?--output needs a folder} ;;
    --output=*) output=${options[i]#*=} ;;
  esac
done

stem=$(basename "$config") && stem=${stem%.*}
code=0 folders=()
for lambda in "${lambdas[@]}"; do
  say "λ = $lambda"
  "$program" --config "$config" --set "tuner.lambda=$lambda" --set "name=${stem}_lambda_$lambda" "${options[@]}" || code=5
  folders+=("$output/${stem}_lambda_$lambda")
done

paper compare "${folders[@]}"
exit "$code"
