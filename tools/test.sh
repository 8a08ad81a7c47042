#!/usr/bin/env bash
# All checks: installs into .venv, lints, checks types, tests. Arguments go to pytest.
# TFDREAM_STACK=tf221 does so with TensorFlow 2.21, without tensorflow-io.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh
environment dev

ruff check .
ruff format --check .
mypy
# By file, so that what a file shares is made once.
pytest -n 2 --dist loadfile "$@"
