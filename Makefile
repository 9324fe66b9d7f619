# Everything needs only make and Python 3.11 or newer; `make demo` and `make test` do all the set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# onnxruntime-gpu where an NVIDIA driver is present, plain onnxruntime elsewhere: one module in two wheels, never both.
SERVE := $(shell test -e /proc/driver/nvidia/version -o -n "$$(command -v nvidia-smi)" && echo serve || echo serve-cpu)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e
STATED := pyproject.toml requirements/constraints.txt Makefile

.PHONY: help demo tour test swaps lint clean

help:
	@echo "make demo   serve the released models and ask them (installs serving only)"
	@echo "make tour   train, export, serve and ask a small model (installs everything)"
	@echo "make test   all that CI runs: lint, types, tests (installs everything)"
	@echo "make swaps  1,000 hot swaps under load, some minutes (installs everything)"
	@echo "make clean  remove the virtual environment and caches"

demo: $(VENV)/.$(SERVE)
	$(BIN)/hondo demo

tour: $(VENV)/.dev
	$(BIN)/hondo tour

test: lint
	$(BIN)/python -m pytest

swaps: $(VENV)/.dev
	HONDO_SWAPS=1000 $(BIN)/python -m pytest -s tests/serving/test_swaps.py

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

$(VENV)/.$(SERVE): $(STATED) | $(BIN)/python
	@echo "Installing what serving needs into $(VENV) ($(SERVE)) ..."
	@$(INSTALL) '.[$(SERVE)]'
	@touch $@

$(VENV)/.dev: $(STATED) | $(BIN)/python
	@echo "Installing everything into $(VENV) ($(SERVE), dev), PyTorch included ..."
	@$(INSTALL) '.[$(SERVE),dev]'
	@touch $@ $(VENV)/.$(SERVE)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Hondo needs Python 3.11 or newer: make PYTHON=...")'
	@$(PYTHON) -m venv $(VENV)

clean:
	rm -rf $(VENV) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
