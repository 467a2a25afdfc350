# The environment and the daily commands; `make` alone lists them.
#
#   PYTHON=python3.12 make setup      another Python (3.11 or newer) for a new .venv
#   make setup TORCH=cpu              PyTorch without CUDA, for a new .venv

PYTHON ?= python3
# cpu, cu126, auto, ...: which build of PyTorch uv takes, from PyTorch's own index; else the default.
TORCH ?=
VENV := .venv
BIN := $(VENV)/bin
CONFIG ?= digits_mlp
# What runs nnlab's peers in `make bench`; those that it lacks are left out.
PEERS_PYTHON ?= $(or $(wildcard .venv-peers/bin/python),$(BIN)/python)
PEERS ?= hand-loop,lightning,keras-jax,jax,sklearn
NETS ?= mlp16 mlp lenet cnn
REPEATS ?= 5

# Versions come from the lock: as constraints, so that each extra installs only what it needs.
# Bytecode is compiled here because some shells forbid Python to write it later, and importing torch
# without it takes four times as long.
INSTALL = $(BIN)/python -m uv pip install --quiet --compile-bytecode --constraints requirements.lock \
	$(if $(TORCH),--torch-backend=$(TORCH))
LOOK = $(BIN)/python -m pytest tests/browser
# In a variable because its comma would end an argument of $(call).
DEV_EXTRAS := dev,docs
# The stamps are newer than what they were installed from.
SOURCES := requirements.lock pyproject.toml
RUNTIME := $(VENV)/.installed
DEV := $(VENV)/.installed-dev

# Some shells forbid Python to keep bytecode. The tests start hundreds of processes, each of which
# would compile all of nnlab anew, a third of what a short command takes.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev train test test-slow test-slow-sample test-browser browser doctor-suite doctor-unseen peers bench docs growth \
	format lint types check lock clean

help:  ## list these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(RUNTIME)  ## make .venv and install nnlab into it (minutes, seconds when nothing changed)
	@echo ".venv is ready: $(BIN)/nnlab --help"

setup-dev: $(DEV)  ## make .venv with what tests, lint, types and the docs need

train: $(RUNTIME)  ## train CONFIG (digits_mlp), score it on test data, say how to look at it
	@run=$$($(BIN)/nnlab train $(CONFIG)) && $(BIN)/nnlab eval "$$run" && \
	printf '%s\n' "" "its curves: $(BIN)/nnlab tensorboard last"

test: $(DEV)  ## run the tests (under 5 minutes on 2 cores)
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow and not browser"

test-slow: $(DEV)  ## run the tests that take more than 20 seconds each
	@$(BIN)/python -m pytest -m slow

# All of them take hours; what fails in this sample is a fault like any other.
test-slow-sample: $(DEV)  ## run one slow test in forty, the same ones each time
	@$(BIN)/python -m pytest -m "slow and not browser" --share 40

test-browser: browser  ## look at the pages in a real browser (installs Chromium where there is none)
	@$(LOOK)

# Where none can be had, the tests say so and skip.
browser: $(DEV)
	@for name in chromium chromium-browser google-chrome; do \
		command -v $$name >/dev/null && exit 0; done; \
	echo "no Chromium here: installing it (apt-get, else into Playwright's own folder; minutes)"; \
	{ apt-get update -qq && timeout 300 apt-get install -y -qq chromium; } >/dev/null 2>&1 || \
	$(BIN)/python -m playwright install chromium || echo "no Chromium can be had here"

doctor-suite: $(DEV)  ## measure nnlab doctor on sick and healthy runs (half an hour on 2 cores)
	@$(BIN)/python tests/doctor_suite.py --jobs 2

doctor-unseen: $(DEV)  ## judge nnlab doctor on kinds that no check was set on (a quarter of an hour)
	@$(BIN)/python tests/doctor_unseen_suite.py --jobs 2

peers: $(RUNTIME)  ## make .venv-peers with Lightning, Keras and JAX, for make bench
	@test -x .venv-peers/bin/python || $(BIN)/python -m uv venv --quiet --python $(BIN)/python .venv-peers
	@$(BIN)/python -m uv pip install --quiet --compile-bytecode --python .venv-peers/bin/python \
		--constraints requirements.lock torch lightning keras jax optax scikit-learn

bench: $(RUNTIME)  ## time nnlab and its peers in turn, into runs/bench/*.json (hours)
	@mkdir -p runs/bench
	@for net in $(NETS); do \
		$(BIN)/nnlab bench tests/benchmarks/$$net.yaml --against $(PEERS) --repeats $(REPEATS) \
			--peer-python $(PEERS_PYTHON) --json > runs/bench/$$net.json.part || exit; \
		mv runs/bench/$$net.json.part runs/bench/$$net.json; \
	done

docs: $(DEV)  ## build the documentation into build/docs/index.html; a broken link fails
	@$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going docs build/docs
	@echo "build/docs/index.html"

growth: $(RUNTIME)  ## measure how the cost of an update grows, into docs/growth.json and .png (ten minutes: it builds eleven steps)
	@$(BIN)/python tests/benchmarks/growth.py docs/growth

format: $(DEV)  ## write the code the way ruff wants it
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format .

lint: $(DEV)  ## ruff: rules and format
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .

types: $(DEV)  ## pyright, strict
	@$(BIN)/pyright

check: $(DEV)  ## lint, types, tests, a sample of the slow ones: what CI runs
	@$(MAKE) --no-print-directory lint
	@$(MAKE) --no-print-directory types
	@$(LOOK)
	@$(MAKE) --no-print-directory test-slow-sample
	@$(MAKE) --no-print-directory test

lock: $(DEV)  ## write requirements.lock anew from pyproject.toml
	$(BIN)/python -m uv pip compile --quiet --upgrade --universal --python-version 3.11 --extra dev --extra docs \
		--no-header --no-emit-index-url --output-file requirements.lock pyproject.toml

clean:  ## remove .venv and what the tools left; runs/ stays
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -not -path './runs/*' -exec rm -rf {} +

$(RUNTIME): $(SOURCES)
	$(call make_venv)
	$(call timed,nnlab,$(INSTALL) --editable .)
	@touch $@

$(DEV): $(SOURCES)
	$(call make_venv)
	$(call timed,nnlab with its development tools,$(INSTALL) --editable '.[$(DEV_EXTRAS)]')
	@touch $(RUNTIME) $@

# A .venv whose Python has gone or that has no pip is made anew.
define make_venv
@$(BIN)/python -c 'import pip' 2>/dev/null || { \
	command -v $(PYTHON) >/dev/null || { echo "$(PYTHON): not found; name one: PYTHON=python3.12 make setup"; exit 1; }; \
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
		echo "$$($(PYTHON) --version) is too old, nnlab needs 3.11 or newer: PYTHON=python3.12 make setup"; exit 1; }; \
	echo "making $(VENV) with $$($(PYTHON) --version)"; \
	$(PYTHON) -m venv --clear $(VENV); }
@$(BIN)/python -c 'import uv' 2>/dev/null || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv
endef

define timed
@echo "installing $(1) (a few GB with CUDA; the first time takes minutes)"; \
began=$$(date +%s); $(2) && echo "installed in $$(( $$(date +%s) - began )) s"
endef
