#!/usr/bin/env bash
# Runs all checks: installs into .venv, checks style and types, builds the documentation and the package, runs the
# tests and the examples of docstrings. Arguments are passed to pytest. TFDREAM_STACK=tf221 uses TensorFlow 2.21
# without tensorflow-io.
set -euo pipefail
cd "$(dirname "$0")/.."
. tools/environment.sh
environment dev

trap 'kill $(jobs -p) 2>/dev/null || true' EXIT  # those of a check that failed
# These run beside the style and type checks, which use one core.
NO_MKDOCS_2_WARNING=1 mkdocs build --strict --quiet &
documentation=$!
bash tools/package.sh &
package=$!
ruff check .
ruff format --check .
mypy
wait $documentation
wait $package
wait # for the compilation of librosa's functions
# Tests of one file run in one process, so that its fixtures are computed once. Files are not sorted by their number of
# tests: the last ones are the examples of docstrings, which are short, so both processes end at about the same time.
pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
