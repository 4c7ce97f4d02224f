#!/usr/bin/env bash
# Build what sam deploy uploads, into .aws-sam: build.sh ENV. The layer's build calls python3, and the one of
# .venv-sam has pip. Not from sam's cache: it knows neither ENV nor the Python that compiled a layer.
set -euo pipefail
cd "$(dirname "$0")/.."
rm -f .aws-sam/.built

parameter() {
  .venv/bin/python -m operate.samconfig "$ENV" "$@"
}

export ENV=$1 PATH=$PWD/.venv-sam/bin:$PATH
ARCHITECTURE=$(parameter Architecture x86_64)
OTLP=$(parameter OtlpEndpoint "")
export ARCHITECTURE OTLP
sam build --no-cached --parameter-overrides "Architecture=$ARCHITECTURE"
.venv/bin/python -m dovecote.wiring.catalog compile .aws-sam/build/CatalogLayer/catalog
