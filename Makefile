# make and a python3 of 3.11 or newer are all that this needs. Operators run .venv/bin/dovecote (make setup).
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

PYTHON ?= python3
# Of the command line alone: a shell may have an ENV of its own.
ENV = default
NEWEST = no
STAGES = 100k 1m
UPGRADE =
bin := .venv/bin
sam := .venv-sam/bin/sam

export PYTHONPATH := layers/dovecote:.
export SAM_CLI_TELEMETRY := 0
# sam and cfn-lint need the name of a region.
export AWS_DEFAULT_REGION ?= us-east-1

peers := bench/peers/node_modules
benched := .venv/.runtime .venv-bench/.bench $(peers)/.bench
processes = $$($(bin)/python -c 'import os; print(min(4, os.cpu_count() + 1))')

.PHONY: help setup demo run migrate test soak bench bench-quick year e2e pictures test-aws docker sam-api check fix build \
	deploy lock clean

help: ## show this list
	@awk -F ':.*## ' '/^[a-z0-9%-]+:.*## / { sub("%", "<event>", $$1); printf "  make %-17s%s\n", $$1, $$2 }' Makefile

setup: .venv/.tests ## build .venv with the command dovecote and what the tests need; implied by the others

demo: .venv/.runtime ## start the local stack, send events/ through it, show what happened
	@$(bin)/python -m local.demo

run: .venv/.runtime ## the same stack in the foreground, with a page at http://127.0.0.1:8080 (PORT)
	@$(bin)/python -m local.run

migrate: .venv/.runtime ## bring the database at DATABASE_URL to the newest schema
	@CATALOG_PATH=$${CATALOG_PATH:-layers/catalog/catalog} $(bin)/python -m dovecote.wiring.provision

# Each process has a PostgreSQL of its own; one more than processors, since tests wait. Fault tests wait longer and
# start processes. Tests with time limits come after, alone.
test: .venv/.tests .venv-schemathesis/.schemathesis ## unit, integration and faults on a real PostgreSQL
	@$(bin)/python -m pytest -m "not timed" --dist worksteal --numprocesses $(processes) tests/unit tests/integration
	@$(bin)/python -m pytest -m "not timed" --dist worksteal --numprocesses 2 tests/faults
	@$(bin)/python -m pytest -m timed tests/unit tests/integration tests/faults

# pgbouncer and libfaketime are used where they are installed.
soak: .venv/.tests ## kills and faults for minutes (SOAK_MINUTES) with random seeds, printed
	@$(bin)/python -m pytest -q -s tests/faults/soak.py

test-aws: .venv/.tests .venv-schemathesis/.schemathesis ## sam local with every event, and sam deploy into an emulator of AWS
	@SCHEMATHESIS_CASES=5000 $(bin)/python -m pytest tests/integration/test_schemathesis.py & \
	trap wait EXIT; $(bin)/python -m pytest tests/aws && wait $$!

# docs/sam-local.md. The database and the provider are started for the time of it.
invoke-%: .venv/.runtime docker .aws-sam/.built ## sam local invoke of events/<event>.json
	@$(bin)/python -m local.sam.invoke $*
sam-api: .venv/.runtime docker .aws-sam/.built ## sam local start-api and start-lambda; PORT [3000]
	@$(bin)/python -m local.sam.api
docker: .venv/.runtime
	@$(bin)/python -m local.sam.docker

bench: $(benched) ## Dovecote beside other queues; writes docs/performance.md
	@$(bin)/python -m bench
bench-quick: $(benched) ## the same, small and once, in three minutes; keeps nothing
	@$(bin)/python -m bench --quick

# 100k and 1m take seven minutes and 8 GB of disk, 5m about five times as much.
year: .venv/.runtime ## blocks of each operation as tables grow, with limits that fail; STAGES [100k 1m]
	@$(bin)/python -m bench.year $(STAGES)

# In a Chromium of this machine; .venv has its driver.
e2e: .venv/.e2e ## the page in a headless Chromium; skipped where there is none
	@$(bin)/python -m pytest tests/e2e
pictures: .venv/.e2e ## make docs/pictures anew, from a run in a headless Chromium
	@$(bin)/python -m tests.e2e.pictures docs/pictures

# SAM has looked up in the transformed templates what W2001 and W7001 miss there.
check: .venv/.check .venv-sam/.sam .venv-checkov/.checkov ## linters, types, catalog and template; edits nothing
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/python -m dovecote.wiring.catalog check layers/catalog/catalog
	$(bin)/openapi-spec-validator layers/dovecote/dovecote/aws/openapi.yaml
	$(sam) validate --lint
	$(bin)/cfn-lint stacks/*.yaml
	mkdir -p .check
	for way in AllAtOnce Canary10Percent5Minutes; do \
		$(bin)/python -m tests.infrastructure.transform Deployment=$$way >.check/$$way.json && \
		$(bin)/cfn-lint --ignore-checks W2001 W7001 -- .check/$$way.json || exit 1; done
	.venv-checkov/bin/checkov --file .check/Canary10Percent5Minutes.json stacks/*.yaml --framework cloudformation \
		--compact --quiet --skip-download
	$(bin)/python -m pytest --dist loadfile --numprocesses $(processes) tests/infrastructure
fix: .venv/.check ## let ruff mend what it can
	$(bin)/ruff check --fix
	$(bin)/ruff format

build: .venv/.runtime .venv-sam/.sam ## what sam deploy uploads, in .aws-sam; for ENV [default]
	@operate/build.sh $(ENV)
deploy: build ## bring the stack of ENV to this checkout: docs/deploy.md
	$(sam) deploy --config-file $(CURDIR)/samconfig.toml --config-env $(ENV)

# Directories too: one is newer than the stamp when a file in it was removed.
.aws-sam/.built: $(shell find template.yaml stacks samconfig.toml layers functions -name __pycache__ -prune -o -print)
	@echo "sam build: what the containers run"
	@mkdir -p $(@D)
	@$(MAKE) build ENV=default >$(@D)/build.log 2>&1 || { cat $(@D)/build.log >&2; exit 1; }
	@touch $@

lock: .venv/.check ## pin anew what changed in *.in; UPGRADE=--upgrade pins all anew
	@UPGRADE=$(UPGRADE) local/lock.sh

clean: ## remove what make built
	rm -rf .venv .venv-sam .venv-emulator .venv-checkov .venv-schemathesis \
		.venv-bench $(peers) .bench .bench-year .aws-sam .check

# The environments: a stamp is newer than the locks that it stands for.
venv = @PYTHON='$(PYTHON)' NEWEST=$(NEWEST) local/venv.sh $(@D) $(filter %.txt,$^)

.venv/.runtime: layers/dovecote/requirements.txt local/requirements.txt operate/cli/install.py
	$(venv)
	@$(bin)/python -m operate.cli.install
	@touch $@

.venv/.tests: tests/requirements.txt .venv/.runtime
.venv/.e2e: tests/requirements-e2e.txt .venv/.tests
.venv/.check: tests/requirements-check.txt .venv/.tests
.venv-sam/.sam: tests/requirements-sam.txt
.venv-checkov/.checkov: tests/requirements-checkov.txt
.venv-schemathesis/.schemathesis: tests/requirements-schemathesis.txt
.venv-bench/.bench: bench/requirements.txt
# On the functions' Python where there is one; ministack itself runs on any of 3.11 or newer.
.venv-emulator/.emulator: NEWEST = yes
.venv-emulator/.emulator: tests/requirements-emulator.txt
.venv/.tests .venv/.e2e .venv/.check .venv-sam/.sam .venv-checkov/.checkov .venv-schemathesis/.schemathesis \
.venv-bench/.bench .venv-emulator/.emulator:
	$(venv)
	@touch $@

# Any Node brings npm; the one that runs the peers is a package among them.
$(peers)/.bench: bench/peers/package.json bench/peers/package-lock.json
	@command -v npm >/dev/null || { echo "make: the bench needs npm" >&2; exit 1; }
	@cd $(<D) && npm ci --no-audit --no-fund --silent
	@touch $@
