# make and a python3 of 3.11 or newer are all that this needs.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DELETE_ON_ERROR:

PYTHON ?= python3
# Of the command line alone: a shell may have an ENV or a NAME of its own.
ENV = default
PLATFORM =
NAME =
KEY =
KEY_ID =
TEAM_ID =
BUNDLE_ID =
CERT =
SERVICE_ACCOUNT =
SEND =
EVENT =
STAGES = 100k 1m
given = $(if $($(1)),--$(2) '$(subst ','\'',$($(1)))')
# What the command line itself says: every shell has a USER, and why asks the local stack without ENV.
said = $(if $(findstring command line,$(origin $(1))),--$(2) '$(subst ','\'',$($(1)))')
bin := .venv/bin
sam := .venv-sam/bin/sam

export PYTHONPATH := layers/dovecote:.
export SAM_CLI_TELEMETRY := 0
# sam and cfn-lint want a region; nothing that make runs calls AWS.
export AWS_DEFAULT_REGION ?= us-east-1

peers := bench/peers/node_modules
benched := .venv/.runtime .venv-bench/.bench $(peers)/.bench
runtime_locks := layers/dovecote/requirements.txt local/requirements.txt
processes = $$($(bin)/python -c 'import os; print(min(4, os.cpu_count() + 1))')
# --no-deps: the locks are complete, and pip need not resolve them once more.
install := -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes

.PHONY: help setup demo run migrate test soak bench bench-quick year e2e pictures test-aws docker sam-api check fix build \
	deploy doctor console why push-app lock clean

help: ## show this list
	@sed -nE 's/^([a-z%-]+):.*## (.*)/  make \1\t\2/p' Makefile | sed 's/%/<event>/' | expand -t 24

setup: .venv/.tests ## build .venv with what the tests need; implied by the others

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
	trap wait EXIT; $(bin)/python -m pytest tests/aws; wait $$!

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

check: .venv/.check .venv-sam/.sam .venv-checkov/.checkov ## linters, types, catalog and template; edits nothing
	$(bin)/ruff check
	$(bin)/ruff format --check
	$(bin)/mypy
	$(bin)/python -m dovecote.wiring.catalog check layers/catalog/catalog
	$(bin)/openapi-spec-validator layers/dovecote/dovecote/aws/openapi.yaml
	$(sam) validate --lint
	$(bin)/cfn-lint stacks/*.yaml
	$(call transformed,AllAtOnce)
	$(call transformed,Canary10Percent5Minutes)
	.venv-checkov/bin/checkov --file .check/Canary10Percent5Minutes.json stacks/*.yaml --framework cloudformation \
		--compact --quiet --skip-download
	$(bin)/python -m pytest --dist loadfile --numprocesses $(processes) tests/infrastructure

# What CloudFormation gets, for a way to deploy. SAM has looked up by then what these two checks miss.
define transformed
@mkdir -p .check
$(bin)/python -m tests.infrastructure.transform Deployment=$(1) >.check/$(1).json
$(bin)/cfn-lint --ignore-checks W2001 W7001 -- .check/$(1).json
endef

fix: .venv/.check ## let ruff mend what it can
	$(bin)/ruff check --fix
	$(bin)/ruff format

# The layer's build calls python3, and the one of the venv has pip. Not from sam's cache: it knows
# neither ENV nor the Python that compiled a layer.
build: .venv/.runtime .venv-sam/.sam ## what sam deploy uploads, in .aws-sam; for ENV [default]
	@rm -f .aws-sam/.built
	@architecture=$$($(bin)/python -m operate.samconfig $(ENV) Architecture x86_64) && \
	otlp=$$($(bin)/python -m operate.samconfig $(ENV) OtlpEndpoint "") && \
	ENV=$(ENV) ARCHITECTURE=$$architecture OTLP=$$otlp PATH="$(CURDIR)/.venv-sam/bin:$$PATH" \
		$(sam) build --no-cached --parameter-overrides Architecture=$$architecture
	@$(bin)/python -m dovecote.wiring.catalog compile .aws-sam/build/CatalogLayer/catalog

deploy: build ## bring the stack of ENV to this checkout: docs/deploy.md
	$(sam) deploy --config-file $(CURDIR)/samconfig.toml --config-env $(ENV)

doctor: .venv/.runtime .venv-sam/.sam ## what is wrong with ENV and what to do; SEND=yes sends an email
	@$(bin)/python -m operate.doctor --env '$(ENV)' \
		$(if $(filter yes,$(SEND)),--send) $(call given,EVENT,event)

console: .venv/.runtime ## what ENV does, fails at and redrives, on a page of this machine; PORT [8484]
	@$(bin)/python -m operate.console --env '$(ENV)' $(call given,PORT,port)

why: .venv/.runtime ## why somebody got nothing: USER, EMAIL, KIND and KEY, or ID; here, or in ENV
	@$(bin)/python -m operate.why $(call said,ENV,env) $(call said,USER,user) \
		$(call said,EMAIL,email) $(call said,KIND,kind) $(call said,KEY,key) $(call said,ID,id)

push-app: .venv/.runtime ## an SNS platform application: PLATFORM, NAME, KEY… or SERVICE_ACCOUNT
	@$(bin)/python -m operate.push_app --env '$(ENV)' $(call given,PLATFORM,platform) \
		$(call given,NAME,name) $(call given,KEY,key) $(call given,KEY_ID,key-id) \
		$(call given,TEAM_ID,team-id) $(call given,BUNDLE_ID,bundle-id) \
		$(call given,CERT,cert) $(call given,SERVICE_ACCOUNT,service-account)

# Directories too: one is newer than the stamp when a file in it was removed.
built_from = $(shell find template.yaml stacks samconfig.toml layers functions \
	-name __pycache__ -prune -o -print)

.aws-sam/.built: $(built_from)
	@echo "sam build: what the containers run"
	@mkdir -p $(@D)
	@$(MAKE) build ENV=default >$(@D)/build.log 2>&1 || { cat $(@D)/build.log >&2; exit 1; }
	@touch $@

compile := $(bin)/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 \
	--no-emit-index-url --no-header $(UPGRADE)
layer_lock := layers/dovecote/requirements.txt

# Each lock takes the pins of those above it, so that they agree; the last five are alone.
lock: .venv/.check ## pin anew what changed in *.in; UPGRADE=--upgrade pins all anew
	$(compile) layers/dovecote/requirements.in -o $(layer_lock) >/dev/null
	$(compile) layers/dovecote/requirements-otlp.in -c $(layer_lock) \
		-o layers/dovecote/requirements-otlp.txt >/dev/null
	$(compile) local/requirements.in -c $(layer_lock) -o local/requirements.txt >/dev/null
	$(compile) tests/requirements.in -c $(layer_lock) -c local/requirements.txt \
		-o tests/requirements.txt >/dev/null
	$(compile) tests/requirements-check.in -c $(layer_lock) -c local/requirements.txt \
		-c tests/requirements.txt -o tests/requirements-check.txt >/dev/null
	$(compile) tests/requirements-e2e.in -c $(layer_lock) -c local/requirements.txt \
		-c tests/requirements.txt -o tests/requirements-e2e.txt >/dev/null
	$(compile) tests/requirements-sam.in -o tests/requirements-sam.txt >/dev/null
	$(compile) tests/requirements-emulator.in -o tests/requirements-emulator.txt >/dev/null
	$(compile) tests/requirements-checkov.in -o tests/requirements-checkov.txt >/dev/null
	$(compile) tests/requirements-schemathesis.in -o tests/requirements-schemathesis.txt >/dev/null
	$(compile) bench/requirements.in -o bench/requirements.txt >/dev/null

clean: ## remove what make built
	rm -rf .venv .venv-sam .venv-emulator .venv-checkov .venv-schemathesis \
		.venv-bench $(peers) .bench .bench-year .aws-sam .check

# The venvs: a stamp is newer than the locks that it stands for.
.venv/.runtime: $(runtime_locks)
	@$(call venv,.venv)
	@echo "setup: what the functions and the local stack need"
	@$(foreach lock,$(runtime_locks),$(bin)/python $(install) -r $(lock) &&) touch $@

.venv/.tests: tests/requirements.txt .venv/.runtime
	@echo "setup: what the tests need"
	@$(bin)/python $(install) -r $< && touch $@

.venv/.e2e: tests/requirements-e2e.txt .venv/.tests
	@echo "setup: the driver of the browser"
	@$(bin)/python $(install) -r $< && touch $@

.venv/.check: tests/requirements-check.txt .venv/.tests
	@echo "setup: what the linters need"
	@$(bin)/python $(install) -r $< && touch $@

.venv-sam/.sam: tests/requirements-sam.txt
	@$(call venv,.venv-sam)
	@echo "setup: aws-sam-cli"
	@.venv-sam/bin/python $(install) -r $< && touch $@

.venv-checkov/.checkov: tests/requirements-checkov.txt
	@$(call venv,.venv-checkov)
	@echo "setup: checkov"
	@.venv-checkov/bin/python $(install) -r $< && touch $@

.venv-schemathesis/.schemathesis: tests/requirements-schemathesis.txt
	@$(call venv,.venv-schemathesis)
	@echo "setup: schemathesis"
	@.venv-schemathesis/bin/python $(install) -r $< && touch $@

.venv-bench/.bench: bench/requirements.txt
	@$(call venv,.venv-bench)
	@echo "setup: the queues in Python that the bench measures"
	@.venv-bench/bin/python $(install) -r $< && touch $@

# Any Node brings npm; the one that runs the peers is a package among them.
$(peers)/.bench: bench/peers/package.json bench/peers/package-lock.json
	@command -v npm >/dev/null || { echo "make: the bench needs npm" >&2; exit 1; }
	@echo "setup: the queues in Node that the bench measures"
	@cd $(<D) && npm ci --no-audit --no-fund --silent
	@touch $@

# On the functions' Python where there is one that runs, which a shim of pyenv may not; ministack
# itself is content with any of 3.11 or newer.
.venv-emulator/.emulator: PYTHON = $(shell \
	for python in python3.13 "$${PYENV_ROOT:-$$HOME/.pyenv}"/versions/3.13.*/bin/python; do \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null && { echo "$$python"; exit; }; \
	done; echo python3)
.venv-emulator/.emulator: tests/requirements-emulator.txt
	@$(call venv,.venv-emulator)
	@echo "setup: ministack, an emulator of AWS"
	@.venv-emulator/bin/python $(install) -r $< && touch $@

define venv
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null \
	|| { echo "make: $(PYTHON) of 3.11 or newer is needed; name one with PYTHON=" >&2; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	|| { echo "make: $(PYTHON) lacks venv; on Debian and Ubuntu install python3-venv" >&2; exit 1; }; \
[ -x $(1)/bin/python ] && $(1)/bin/python -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	|| $(PYTHON) -m venv --clear $(1)
endef
