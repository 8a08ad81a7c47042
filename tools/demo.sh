#!/usr/bin/env bash
# From nothing to a dreamt song: installs into .venv, composes a corpus, trains, judges, dreams,
# exports. Results go to ./demo, or to the folder given. Takes about two minutes on two cores.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
demo=${1:-$here/demo}
mkdir -p "$demo"
demo=$(cd "$demo" && pwd)
cd "$here"
. tools/environment.sh
environment

step "Compose 48 songs of four styles" corpus "$demo/songs"
step "Cut them into clips" prepare "$demo/songs" "$demo/dataset" --config recommended
step "Train a classifier, a fifth of the songs held out" \
  train recommended "$demo/dataset" "$demo/run" --epochs 20
step "Judge it on the songs it has not heard" \
  evaluate "$demo/run" "$demo/dataset" --figure "$demo/confusion.png"
step "Draw its training" plot history "$demo/run" "$demo/training.png"
step "Compose four new songs" corpus "$demo/new" --tracks 1 --seed 1
step "What are they?" predict "$demo/run" "$demo"/new/*/*.flac
step "Dream one of them" dream "$demo/new/strings/strings-01.flac" "$demo/dream.flac" \
  --model "$demo/run" --figure "$demo/dream.png" --force
step "Export the network" export "$demo/run" "$demo/saved_model" --force

cat <<END

Listen:  $demo/new/strings/strings-01.flac   (before)
         $demo/dream.flac   (after; settings and measures in dream.flac.json)
Look at: $demo/dream.png, $demo/confusion.png, $demo/training.png
Curves:  .venv/bin/tensorboard --logdir $demo/run
Reuse:   $demo/run   (tfdream's --model)
         $demo/saved_model   (TensorFlow's SavedModel: waveforms to probabilities)
END
