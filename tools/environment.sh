# Functions for the other scripts, which source this file: find a Python, create .venv, install.
# Usage: environment [EXTRAS], such as dev. Afterwards .venv/bin is first on PATH.
# TFDREAM_STACK=tf221 installs TensorFlow 2.21 without tensorflow-io into .venv-tf221 instead.
# step TITLE ARGUMENTS... prints the title and the command, and calls tfdream.

find_python() {
  local candidate
  for candidate in python3.11 python3.12 python3.10 python3 python; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' \
      >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  echo "Python 3.10, 3.11 or 3.12 is required by TensorFlow 2.16 and was not found. Install one" >&2
  echo "(Debian, Ubuntu: apt install python3 python3-venv; else python.org) and try again." >&2
  return 1
}

# uv takes a quarter of pip's time. It does not know pip's settings, such as the address of another index: where it
# fails, pip installs the same versions. Modules are compiled when they are first imported, which are few of all.
install() {
  python -m uv pip install --quiet "$@" 2>/dev/null \
    || python -m pip install --quiet --disable-pip-version-check --no-compile "$@"
}

environment() {
  local python version stamp venv constraints extras
  case ${TFDREAM_STACK:-tf216} in
    tf216) venv=.venv constraints=constraints.txt extras=flac${1:+,$1} ;;
    tf221) venv=.venv-tf221 constraints=constraints-tf221.txt extras=${1:-} ;;
    *)
      echo "TFDREAM_STACK=$TFDREAM_STACK is not one of: tf216, tf221" >&2
      return 1
      ;;
  esac
  # Also repairs an environment whose creation was interrupted before pip was complete.
  if ! ls $venv/installed-* >/dev/null 2>&1 && ! $venv/bin/python -m pip --version >/dev/null 2>&1; then
    python=$(find_python) || return 1
    rm -rf $venv/lib/python*/site-packages/pip{,-*} # venv does not repair incomplete files of it
    echo "Creating $venv with $("$python" --version)" >&2
    if ! "$python" -m venv $venv; then
      echo "$python cannot create a virtual environment (Debian: apt install python3-venv)." >&2
      return 1
    fi
  fi
  PATH="$PWD/$venv/bin:$PATH"
  # Without bytecode, every process would compile its modules again.
  unset PYTHONDONTWRITEBYTECODE
  version=$(cat setup.cfg pyproject.toml $constraints | cksum)
  stamp="$venv/installed-$(printf %s "$extras" | tr -c '[:alnum:]' _)"
  if [ "$(cat "$stamp" 2>/dev/null)" != "$version" ]; then
    echo "Installing tfdream and its dependencies (about 1 GB) into $venv" >&2
    python -m pip install --quiet --disable-pip-version-check -c $constraints uv || true
    install -c $constraints -e ".${extras:+[$extras]}" || return 1
    echo "$version" >"$stamp"
    # librosa compiles its functions when it is first used, which takes half a minute: one processor
    # does that while the other one continues.
    python -c 'import librosa; librosa.beat, librosa.feature, librosa.onset' &
  fi
}

step() {
  printf '\n\033[1m%s\033[0m\n$ tfdream %s\n' "$1" "${*:2}"
  tfdream "${@:2}"
}
