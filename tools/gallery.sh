#!/usr/bin/env bash
# One dream, one transfer and one translation of songs that it composes itself, with figures, reports and
# measures: what README.md shows. Results go to ./gallery, or to the folder given; about half an hour
# on two cores. Called again, it goes on where it was.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
gallery=${1:-$here/gallery}
mkdir -p "$gallery"
gallery=$(cd "$gallery" && pwd)
cd "$here"
. tools/environment.sh
environment

songs=$gallery/songs new=$gallery/new
show() { # NAME: where the result, its figure and its report go
  echo "$gallery/$1.flac --figure $gallery/$1.png --report $gallery/$1.html --force" \
    "--judge $gallery/classifier"
}

step "Compose 48 songs of four styles" corpus "$songs"
step "And four that nobody learns from" corpus "$new" --tracks 1 --seed 1
step "Cut them into clips" prepare "$songs" "$gallery/dataset" --config lil_data
step "Train a classifier" train recommended "$gallery/dataset" "$gallery/classifier" --epochs 15
step "Train a CycleGAN" train recommended_cyclegan "$gallery/dataset" "$gallery/translator" \
  --set 'labels=[strings, chiptune]' --set training.decay_epochs=5 --epochs 10

# shellcheck disable=SC2046 # what show says are words
{
  step "A dream" dream "$new/strings/strings-01.flac" $(show dream) --model "$gallery/classifier"
  step "A transfer" transfer "$new/strings/strings-01.flac" "$new/techno/techno-01.flac" \
    $(show transfer)
  step "A translation" translate "$new/strings/strings-01.flac" $(show translation) \
    --model "$gallery/translator" --to chiptune
}

echo
echo "Open $gallery/dream.html, $gallery/transfer.html and $gallery/translation.html in a browser."
