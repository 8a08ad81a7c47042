#!/usr/bin/env bash
# Runs all checks: installs into .venv, checks style and types, builds the documentation and the package, runs the
# tests and the examples of docstrings. Arguments are passed to pytest. TFDREAM_STACK=tf221 uses TensorFlow 2.21
# without tensorflow-io.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh
environment dev

# librosa compiles its functions when it is first imported, which takes half a minute: do it once, in the background.
python -c 'import librosa; librosa.feature, librosa.onset' &
ruff check .
ruff format --check .
mypy
NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet
wait
bash tools/package.sh
# Tests of one file run in one process, so that its fixtures are computed once.
pytest -n 2 --dist loadfile "$@"
