#!/usr/bin/env bash
# Pin anew what changed in the *.in files; with UPGRADE=--upgrade all of it. Each lock takes the pins of those
# that it names after it, so that the locks of one environment agree; the last five are alone.
set -euo pipefail
cd "$(dirname "$0")/.."

lock() {
  local name=$1 other pins=()
  shift
  for other; do
    pins+=(-c "$other.txt")
  done
  # shellcheck disable=SC2086 - no upgrade is no argument
  .venv/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 --no-emit-index-url \
    --no-header ${UPGRADE:-} "$name.in" ${pins[@]+"${pins[@]}"} -o "$name.txt" >/dev/null
}

layer=layers/dovecote/requirements stack=local/requirements tests=tests/requirements
lock "$layer"
lock layers/dovecote/requirements-otlp "$layer"
lock "$stack" "$layer"
lock "$tests" "$layer" "$stack"
lock tests/requirements-check "$layer" "$stack" "$tests"
lock tests/requirements-e2e "$layer" "$stack" "$tests"
lock tests/requirements-sam
lock tests/requirements-emulator
lock tests/requirements-checkov
lock tests/requirements-schemathesis
lock bench/requirements
