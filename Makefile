# Two commands do all set-up on a fresh machine with Python 3.11+: `make train` and `make test`.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/ready
CHECKERS := .venv/checkers
WRITERS := .venv/writers
TESTS ?= tests

.DEFAULT_GOAL := help
.PHONY: help setup train test test-slow test-gpu check format docs lock

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(READY) ## create .venv and install the locked packages
	@printf '%s\n' 'Ready. Next:' '  source .venv/bin/activate' '  pipeline train'

train: $(READY) ## train the default experiment, a CNN on MNIST
	$(BIN)/pipeline train
	@printf '%s\n' 'To type `pipeline` yourself: source .venv/bin/activate'

test: $(READY) $(CHECKERS) check ## lint, check types and run the tests but for the slow ones
	$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=worksteal

test-slow: $(READY) $(CHECKERS) ## run the slow tests; TESTS=tests/launch runs those of a folder
	$(BIN)/python -m pytest -m slow $(TESTS)

test-gpu: $(READY) $(CHECKERS) ## run the tests that need a CUDA GPU; skipped without one
	$(BIN)/python -m pytest -m gpu

check: $(READY) $(CHECKERS) ## lint, check formatting and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(READY) $(CHECKERS) ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(READY) $(WRITERS) ## build the documentation into site/; a warning or a broken link fails
	$(BIN)/python -m sphinx --fail-on-warning --keep-going --nitpicky --quiet -d .cache/docs docs site
	@echo "open site/index.html"

$(READY): requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed, this is " + sys.version.split()[0] + ". Use: make PYTHON=python3.11 …" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv
	@echo "Installing $$(grep -c == requirements.lock) packages into .venv: 2.0 GB with the CPU build of torch, some minutes"
	$(BIN)/python -m pip install --disable-pip-version-check --no-compile --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

$(CHECKERS): $(READY) tests/requirements.lock infra/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/requirements.lock --requirement infra/requirements.lock
	touch $@

$(WRITERS): $(READY) docs/requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --requirement docs/requirements.lock
	touch $@

lock: ## resolve pyproject.toml into requirements.lock and those in tests/, infra/ and docs/
	rm -rf .cache/lock && $(PYTHON) -m venv .cache/lock
	.cache/lock/bin/python -m pip install --quiet torch==2.13.0 .
	.cache/lock/bin/python -m pip freeze --exclude lecture-pipeline | sed -E 's/\+cpu$$//' > requirements.lock
	.cache/lock/bin/python -m pip install --quiet --constraint requirements.lock '.[dev]'
	.cache/lock/bin/python -m pip freeze --exclude lecture-pipeline | sed -E 's/\+cpu$$//' | grep -vxFf requirements.lock > tests/requirements.lock
	.cache/lock/bin/python -m pip install --quiet --constraint requirements.lock --constraint tests/requirements.lock '.[infra]'
	.cache/lock/bin/python -m pip freeze --exclude lecture-pipeline | sed -E 's/\+cpu$$//' | grep -vxFf requirements.lock | grep -vxFf tests/requirements.lock > infra/requirements.lock
	.cache/lock/bin/python -m pip uninstall --quiet --yes --requirement infra/requirements.lock
	.cache/lock/bin/python -m pip install --quiet --constraint requirements.lock '.[docs]'
	.cache/lock/bin/python -m pip freeze --exclude lecture-pipeline | sed -E 's/\+cpu$$//' | grep -vxFf requirements.lock | grep -vxFf tests/requirements.lock > docs/requirements.lock
