#!/usr/bin/env bash
# Makes the results of docs/gallery.md: a dream, a transfer and a translation of composed songs, with figures and report
# pages. Results are written to ./gallery or to the given folder. It takes about half an hour on two cores. An
# interrupted call resumes.
set -euo pipefail
here=$(cd "$(dirname "$0")/.." && pwd)
gallery=${1:-$here/gallery}
mkdir -p "$gallery"
gallery=$(cd "$gallery" && pwd)
cd "$here"
. tools/environment.sh
environment

songs=$gallery/songs new=$gallery/new
outputs() { # NAME: sets `written` to the result's path and the options for its figure and report
  written=("$gallery/$1.flac" --figure "$gallery/$1.png" --report "$gallery/$1.html" --force
    --judge "$gallery/classifier")
}

step "Compose 48 songs of four styles" corpus "$songs" --force
step "Compose four songs that are not in the training data" corpus "$new" --tracks 1 --seed 1 --force
step "Cut the songs into clips" prepare "$songs" "$gallery/dataset" --config lil_data
step "Train a classifier" train recommended "$gallery/dataset" "$gallery/classifier" --epochs 15
step "Cut the songs into clips for the translation" prepare "$songs" "$gallery/levels" \
  --config recommended_translation
step "Train a translation" train recommended_translation "$gallery/levels" "$gallery/translator" \
  --set 'labels=[strings, chiptune]'

outputs dream
step "A dream" dream "$new/strings/strings-01.flac" "${written[@]}" --model "$gallery/classifier"
outputs transfer
step "A transfer" transfer "$new/strings/strings-01.flac" "$new/techno/techno-01.flac" "${written[@]}"
outputs translation
step "A translation" translate "$new/strings/strings-01.flac" "${written[@]}" \
  --model "$gallery/translator" --to chiptune

echo
echo "Open $gallery/dream.html, $gallery/transfer.html and $gallery/translation.html in a browser."
