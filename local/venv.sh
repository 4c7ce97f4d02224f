#!/usr/bin/env bash
# Make a virtual environment unless it is there, and install locks into it: venv.sh VENV LOCK…
# PYTHON names the Python of a new one; NEWEST=yes prefers a 3.13 that runs, which a shim of pyenv may not.
set -euo pipefail
venv=$1
shift

fail() {
  echo "make: $*" >&2
  exit 1
}

is_new() {
  "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

has_venv() {
  "$1" -c 'import ensurepip, venv' 2>/dev/null
}

newest() {
  local one
  for one in python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13.*/bin/python; do
    if has_venv "$one"; then
      echo "$one"
      return
    fi
  done
  echo python3
}

if ! is_new "$venv/bin/python"; then
  python=${PYTHON:-python3}
  [ "${NEWEST:-no}" = no ] || python=$(newest)
  is_new "$python" || fail "$python of 3.11 or newer is needed; name one with PYTHON="
  has_venv "$python" || fail "$python lacks venv; on Debian and Ubuntu install python3-venv"
  "$python" -m venv --clear "$venv"
fi

echo "setup: $venv from $*"
for lock; do
  # --no-deps: the locks are complete, and pip need not resolve them once more.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r "$lock"
done
