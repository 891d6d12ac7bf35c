# make help says what there is. Everything happens in .venv, with the versions pinned in requirements*.lock.
SHELL := /bin/bash
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
LOCK := $(BIN)/uv pip compile pyproject.toml --group build --universal --python-version 3.11 --generate-hashes \
	--no-annotate --custom-compile-command "make lock" --quiet
PYTHONS ?= 3.11 3.12 3.13 3.14
PYTEST := $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help demo install test nightly test-pythons check format bench docs figures wasm lock clean

help: ## what can be made
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: .venv/run ## install, run the default scenario 10,000 times, write the page
	$(BIN)/powderkeg run

install: .venv/run ## a virtual environment in .venv with powderkeg in it

test: .venv/dev ## the tests
	$(PYTEST)

nightly: .venv/dev ## the statistical tests at full size, with fresh seeds
	POWDERKEG_SEED=$${POWDERKEG_SEED:-$$RANDOM$$RANDOM} $(PYTEST) -m nightly

test-pythons: .venv/dev ## the tests on every Python from 3.11 on that is here or that uv can fetch; PYTHONS says which
	$(BIN)/python tests/pythons.py $(PYTHONS)

check: .venv/dev ## format, lint, strict types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: .venv/dev ## put the code into its form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: .venv/dev ## time every command, first and again, beside 0.1.0 and targets; kept in benchmarks/results
	$(BIN)/python benchmarks/clock.py

docs: .venv/dev ## the site, in site/index.html
	$(BIN)/python docs/build.py site

figures: .venv/run ## the pictures that README and docs show
	$(BIN)/python docs/img/make.py

wasm: .venv/dev ## the engine for browsers, powderkeg/web/engine.wasm, from the loops that Python runs
	NUMBA_CACHE_DIR=$$(mktemp -d) $(BIN)/python -W ignore wasm/make.py

lock: .venv/dev ## pin the newest versions that pyproject.toml allows
	$(LOCK) --upgrade --extra dev --output-file requirements-dev.lock
	$(LOCK) --constraints requirements-dev.lock --output-file requirements.lock

clean: ## remove what was made here, the virtual environment too
	rm -rf .venv build site *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "powderkeg needs Python 3.11 or newer; this is " \
		+ sys.version.split()[0] + ". Say which: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv .venv
	@touch $@

.venv/run: .venv/python requirements.lock pyproject.toml
	$(PIP) install --require-hashes --no-deps -r requirements.lock
	$(PIP) install --no-build-isolation --no-deps --editable .
	@touch $@

.venv/dev: .venv/run requirements-dev.lock
	$(PIP) install --require-hashes --no-deps -r requirements-dev.lock
	@touch $@
