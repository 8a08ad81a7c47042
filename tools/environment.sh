# Sourced by the other scripts: finds a Python, makes .venv, installs what is asked for.
# Usage: environment REQUIREMENT, such as "." or ".[dev]". Afterwards .venv/bin is first on PATH.
# step TITLE ARGUMENTS... then says what it does and calls tfdream.

find_python() {
  local candidate
  for candidate in python3.11 python3.12 python3.10 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
      >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  echo "No Python 3.10, 3.11 or 3.12 found: TensorFlow 2.16 needs one of them. Install it" >&2
  echo "(Debian, Ubuntu: apt install python3 python3-venv; else python.org) and try again." >&2
  return 1
}

environment() {
  local python wanted stamp
  if [ ! -x .venv/bin/python ]; then
    python=$(find_python) || return 1
    echo "Making .venv with $("$python" --version)" >&2
    if ! "$python" -m venv .venv; then
      rm -rf .venv
      echo "$python cannot make a virtual environment (Debian: apt install python3-venv)." >&2
      return 1
    fi
  fi
  PATH="$PWD/.venv/bin:$PATH"
  wanted=$(cat setup.cfg pyproject.toml constraints.txt | cksum)
  stamp=".venv/installed-$(printf %s "$1" | tr -c '[:alnum:]' _)"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$wanted" ]; then
    echo "Installing tfdream and what it needs (about 1 GB) into .venv" >&2
    python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e "$1" || return 1
    echo "$wanted" >"$stamp"
  fi
}

step() {
  printf '\n\033[1m%s\033[0m\n$ tfdream %s\n' "$1" "${*:2}"
  tfdream "${@:2}"
}
