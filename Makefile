# `make run` and `make test` are all a fresh machine needs: they set up .venv themselves. `make help` lists the rest.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VENV := .venv
# how many processes share the tests, which mostly wait for servers
PROCESSES ?= 3
# how many random worlds `make sim` tries of each kind, of the scheduler's a hundredth: they are far larger
SEEDS ?= 10000
FIRST := $(if $(FIRST_SEED),--first "$(FIRST_SEED)")
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input --quiet install
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-strip-extras --no-header --no-annotate --group build pyproject.toml

.PHONY: help run cluster test check bench chaos sim mutants kafka mongodb elasticsearch docs format lock clean

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' Makefile

run: $(VENV)/.run ## the quickstart: 27,004 real flights, filtered and enriched into a file
	@$(BIN)/wire run configs/quickstart/flights.yaml

cluster: $(VENV)/.run ## three nodes with certificates on this machine, two pipelines, and what to try; Ctrl-C ends it
	@$(BIN)/python configs/cluster/start.py

test: check ## the checks, then every test, with the real servers they need
	@$(BIN)/python -m tests.services install
	@$(BIN)/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder $(ARGS)

check: $(VENV)/.dev ## format, lint, types, import contracts, dependencies
	@echo "checking: format, lint, types, imports, dependencies"
	@$(BIN)/ruff format --check . || { echo "run 'make format'"; exit 1; }
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/deptry .

format: $(VENV)/.dev ## format the code and sort its imports
	@$(BIN)/ruff check --quiet --select I --fix .
	@$(BIN)/ruff format .

bench: $(VENV)/.test ## the benchmarks, beside their rivals, with a real broker
	@$(BIN)/python -m benchmarks $(ARGS)

mutants: $(VENV)/.test ## undo each repair of the consensus in turn, and see who notices: tests, random clusters, small worlds
	@$(BIN)/python -m tests.mutants $(ARGS)

chaos: $(VENV)/.test ## the tests that kill things, with far more kills than `make test` (seeds are printed)
	@$(BIN)/python -m tests.services install
	@WIRE_CHAOS_KILLS="$${WIRE_CHAOS_KILLS:-30}" WIRE_CHAOS_RAFT_SECONDS="$${WIRE_CHAOS_RAFT_SECONDS:-60}" $(BIN)/python -m pytest -m chaos --timeout=1800 $(ARGS)

sim: $(VENV)/.test ## the engine, whole clusters, their founding and the scheduler against random faults in virtual time: SEEDS=100000 FIRST_SEED=n
	@$(BIN)/python -m tests.sim.engine --seeds $(SEEDS) $(FIRST)
	@$(BIN)/python -m tests.sim.raft.small --thorough
	@$(BIN)/python -m tests.sim.raft --seeds $(SEEDS) $(FIRST)
	@$(BIN)/python -m tests.sim.founding --seeds $(SEEDS) $(FIRST)
	@$(BIN)/python -m tests.sim.scheduler.figures
	@$(BIN)/python -m tests.sim.scheduler --seeds $$(( ($(SEEDS) + 99) / 100 )) $(FIRST)

kafka: $(VENV)/.test ## a real broker on port 9092, for the tutorial; Ctrl-C ends it
	@$(BIN)/python -m tests.services kafka --port 9092 --topic flights:3 --topic delayed:3

mongodb: $(VENV)/.test ## a real MongoDB (a replica set of one) on port 27017; Ctrl-C ends it
	@$(BIN)/python -m tests.services mongodb --port 27017

elasticsearch: $(VENV)/.test ## a real Elasticsearch on port 9200, without passwords; Ctrl-C ends it
	@$(BIN)/python -m tests.services elasticsearch --port 9200

docs: $(VENV)/.run ## write the connector reference from the configuration structs
	@$(BIN)/python -m wire.cli.docs docs/reference

lock: $(VENV)/.dev ## pin the newest allowed versions, with hashes
	@$(LOCK) --upgrade --extra dev -o requirements/dev.txt
	@$(LOCK) --upgrade --extra test -c requirements/dev.txt -o requirements/test.txt
	@$(LOCK) --upgrade --extra all -c requirements/dev.txt -o requirements/run.txt

clean: ## remove the environment and the tools' caches (not wire-data)
	@rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache htmlcov .coverage*

# --- the environment: one stamp per requirements file, each a superset of the one before -------------------------

$(BIN)/python:
	@for python in $(PYTHON) python3 python3.13 python3.12 python3.11; do \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
		"$$python" -c 'import ensurepip, venv' 2>/dev/null || { no_venv="$$python"; continue; }; \
		echo "setting up $(VENV) with $$("$$python" --version)"; \
		exec "$$python" -m venv $(VENV); \
	done; \
	if [ -n "$${no_venv:-}" ]; then \
		echo "$$no_venv has no venv module. On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	else \
		echo "Wire needs Python 3.11 or newer; none was found. Install one, or name it: make PYTHON=/path/to/python3" >&2; \
	fi; exit 1

$(VENV)/.run $(VENV)/.test $(VENV)/.dev: $(VENV)/.%: requirements/%.txt pyproject.toml | $(BIN)/python
	@echo "installing requirements/$*.txt"
	@$(PIP) --require-hashes -r requirements/$*.txt
	@$(PIP) --no-deps --no-build-isolation -e .
	@case $* in dev) touch $(VENV)/.run $(VENV)/.test ;; test) touch $(VENV)/.run ;; esac; touch $@
