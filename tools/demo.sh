#!/usr/bin/env bash
# Installs into .venv, composes a corpus, trains, evaluates, dreams and exports. Results are written to ./demo or to the
# given folder. It takes two to four minutes on two cores once installed.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
demo=${1:-$here/demo}
mkdir -p "$demo"
demo=$(cd "$demo" && pwd)
cd "$here"
. tools/environment.sh
environment

step "Compose 48 songs of four styles" corpus "$demo/songs" --force
step "Cut the songs into clips" prepare "$demo/songs" "$demo/dataset" --config recommended
step "Train a classifier; one fifth of the songs is held out" \
  train recommended "$demo/dataset" "$demo/run" --epochs 20
step "Evaluate it on the held-out songs" \
  evaluate "$demo/run" "$demo/dataset" --figure "$demo/confusion.png"
step "Plot the training history" plot history "$demo/run" "$demo/training.png"
step "Compose four new songs" corpus "$demo/new" --tracks 1 --seed 1 --force
step "Classify the new songs" predict "$demo/run" "$demo"/new/*/*.flac
step "Dream one of the new songs" dream "$demo/new/strings/strings-01.flac" "$demo/dream.flac" \
  --model "$demo/run" --figure "$demo/dream.png" --force
step "Export the network" export "$demo/run" "$demo/saved_model" --force

cat <<END

Audio:   $demo/new/strings/strings-01.flac   (before)
         $demo/dream.flac   (after; settings and measures in dream.flac.json)
Figures: $demo/dream.png, $demo/confusion.png, $demo/training.png
Curves:  $(printf '%q monitor %q' "$(command -v tfdream)" "$demo/run")
Models:  $demo/run   (for --model)
         $demo/saved_model   (SavedModel: waveforms to probabilities)
END
