#!/usr/bin/env bash
# Builds the source distribution and, from it, the wheel; installs the wheel into a new environment that contains
# nothing else, and runs three commands there. The dependencies come from the current environment through a path file.
# Usage: tools/package.sh [FOLDER for the built files; by default they are deleted]
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
built=${1:-$work/dist}
mkdir -p "$built"
built=$(cd "$built" && pwd)
cd "$(dirname "$0")/.."

python -m build --no-isolation --outdir "$built" . >"$work/build.log" 2>&1 || {
  cat "$work/build.log" >&2
  exit 1
}
version=$(python -c 'import tfdream; print(tfdream.__version__)')
wheel=$built/tfdream-$version-py3-none-any.whl
test -f "$wheel" -a -f "$built/tfdream-$version.tar.gz"

python -m venv --without-pip "$work/venv"
python -m pip --python "$work/venv" --disable-pip-version-check install --quiet --no-deps --no-index "$wheel"
site=$("$work/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$site/dependencies.pth"

cd "$work"
venv/bin/python -c 'import sys, tfdream; assert tfdream.__file__.startswith(sys.prefix), tfdream.__file__'
test "$(venv/bin/tfdream --version)" = "tfdream, version $version"
venv/bin/tfdream --help >help.txt
venv/bin/tfdream configs >configs.txt
grep -q dream/recommended configs.txt
venv/bin/tfdream corpus songs --tracks 1 --seconds 2
echo "tfdream $version: the wheel works in an empty environment."
