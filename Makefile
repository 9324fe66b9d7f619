# Everything needs only make and Python 3.11 or newer; `make demo` and `make test` do all the set-up.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# What looks after dependencies has dependencies of its own, which are none of Hondo's.
TOOLS := .venv-tools
# onnxruntime-gpu where an NVIDIA driver is present, plain onnxruntime elsewhere: one module in two wheels, never both.
SERVE := $(shell test -e /proc/driver/nvidia/version -o -n "$$(command -v nvidia-smi)" && echo serve || echo serve-cpu)
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c requirements/constraints.txt -e
STATED := pyproject.toml requirements/constraints.txt Makefile

# What `make fuzz` throws at a server, and how long it fuzzes each reader of files, seconds.
MESSAGES := 1000000
SECONDS := 300
# What `make fuzz` takes at most, and `make soak` takes.
fuzz: MINUTES := 600
soak: MINUTES := 10

.PHONY: help demo tour test swaps soak fuzz lint lock sbom audit clean

help:
	@echo "make demo   serve the released models and ask them (installs serving only)"
	@echo "make tour   train, export, serve and ask a small model (installs everything)"
	@echo "make test   all that CI runs: lint, types, tests (installs everything)"
	@echo "make lock   lock what each installation takes, with hashes, into requirements/*.lock"
	@echo "make sbom   list what a server is made of, as CycloneDX, in runs/sbom"
	@echo "make audit  look the locked versions up among known vulnerabilities (asks a service on the internet)"
	@echo "make fuzz   1,000,000 bad requests and connections, and what reads files; MESSAGES=, MINUTES=, SECONDS= for less"
	@echo "make swaps  1,000 hot swaps under load, some minutes (installs everything)"
	@echo "make soak   a server under all kinds of traffic and swaps for 10 minutes; MINUTES=60 for longer (installs serving)"
	@echo "make clean  remove the virtual environment and caches"

demo: $(VENV)/.$(SERVE)
	$(BIN)/hondo demo

tour: $(VENV)/.dev
	$(BIN)/hondo tour

test: lint
	$(BIN)/python -m pytest

swaps: $(VENV)/.dev
	HONDO_SWAPS=1000 $(BIN)/python -m pytest -s tests/serving/test_swaps.py

soak: $(VENV)/.$(SERVE)
	$(BIN)/python -m serving.bench.soak --models models --minutes $(MINUTES)

fuzz: $(VENV)/.dev
	$(BIN)/python -m tests.fuzz target --seconds $(SECONDS)
	$(BIN)/python -m tests.fuzz server --messages $(MESSAGES) --minutes $(MINUTES)

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# A lock holds for every platform: which packages each takes stands beside them. What is not stated in the constraints is
# kept at what the lock has.
LOCK = $(TOOLS)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	--no-emit-package hondo --constraints requirements/constraints.txt pyproject.toml

lock: $(TOOLS)/.done
	$(LOCK) --extra serve-cpu --output-file requirements/serve-cpu.lock
	$(LOCK) --extra serve --output-file requirements/serve.lock
	$(LOCK) --extra serve-cpu --extra export --extra pretrained --output-file requirements/export.lock
	$(LOCK) --extra serve-cpu --extra dev --extra pretrained --output-file requirements/dev.lock
	$(BIN)/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"])' | \
		$(LOCK:pyproject.toml=-) --output-file requirements/build.lock

sbom: $(TOOLS)/.done
	@mkdir -p runs/sbom
	for lock in serve-cpu serve; do $(TOOLS)/bin/cyclonedx-py requirements requirements/$$lock.lock --pyproject pyproject.toml \
		--mc-type application --output-reproducible --output-format JSON --output-file runs/sbom/$$lock.json; done

audit: $(TOOLS)/.done
	for lock in requirements/*.lock; do $(TOOLS)/bin/pip-audit --disable-pip --require-hashes --requirement $$lock || exit 1; done

$(TOOLS)/.done: requirements/tools.txt | $(BIN)/python
	@$(BIN)/python -m venv $(TOOLS)
	@$(TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check -r requirements/tools.txt
	@touch $@

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
	rm -rf $(VENV) $(TOOLS) .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis
