#!/usr/bin/env bash
# All checks: installs into .venv, lints, checks types, tests. Arguments go to pytest.
# TFDREAM_STACK=tf221 does so with TensorFlow 2.21, without tensorflow-io.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh
environment dev

# librosa compiles its functions when it is first loaded, half a minute long: once, and meanwhile.
python -c 'import librosa; librosa.feature, librosa.onset' &
ruff check .
ruff format --check .
mypy
wait
# By file, so that what a file shares is made once.
pytest -n 2 --dist loadfile "$@"
