# make run    serves samples/echo.cfg on 127.0.0.1:8448
# make test   linters, types, import contracts, tests
# make bench  the same load on an installed Kamailio and on evapi-cfg
# make load   many parked SIP requests, and a file that is read again and again; needs sipp
# make faults  clients and networks that fail, and what it costs the others; MINUTES=3 for a short one
# make clients  brings npm's netstring-stream, for its test; needs npm
#
# Needs only make and Python 3.11 or later; everything else is installed into .venv, once.

SHELL := /bin/sh
BIN := .venv/bin
READY := .venv/.ready

# The first Python that works and can make a virtual environment: a name on PATH alone does not say so.
FIND_PYTHON = for p in $(PYTHON) python3.13 python3.12 python3.11 python3 python; do \
	  if "$$p" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then \
	    echo "$$p"; exit; \
	  fi; \
	done

.PHONY: run test lint bench load faults clients setup clean

run: $(READY)
	$(BIN)/evapi-cfg run --no-sip samples/echo.cfg

test: lint
	$(BIN)/pytest -n 2 --dist loadfile

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)
	$(BIN)/python tests/bench/bench.py --evapi-cfg "'$(CURDIR)/$(BIN)/evapi-cfg'"

load: $(READY)
	for workload in options invite restart park; do $(BIN)/python tests/load/load.py $$workload || exit 1; done
	$(BIN)/python tests/load/reload.py

MINUTES := 30
faults: $(READY)
	$(BIN)/python -m tests.faults.faults --minutes $(MINUTES)

clients:
	npm install --silent --no-save --no-package-lock --no-audit --no-fund --prefix build/clients netstring-stream@1.0.1

setup: $(READY)

$(READY): pyproject.toml
	@python=$$($(FIND_PYTHON)); \
	if [ -z "$$python" ]; then \
	  echo "make: no Python 3.11 or later with venv found (Debian, Ubuntu: apt install python3 python3-venv);" >&2; \
	  echo "make: name one with: make PYTHON=/path/to/python3" >&2; \
	  exit 1; \
	fi; \
	set -x; "$$python" -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	$(BIN)/python -m compileall -q evapi_cfg
	@touch $@

clean:
	rm -rf .venv build dist .hypothesis .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
