# Every command works from a fresh clone; each makes .venv when there is none.
#
#   make run     boot rc/starship.rc        make docs    build the pages in docs/_build/html
#   make test    everything CI checks       make lint    ruff and mypy only
#   make bench   the table of speeds        make clean   remove what was built (distclean: .venv too)
#
# PYTHON names the interpreter that makes .venv: make run PYTHON=python3.12

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet

# Programs the tests start, each with the Debian package that brings it: program:package.
# Pseudo-terminals, sockets and SQLite come with Python.
TEST_PROGRAMS := chromium:chromium

.DELETE_ON_ERROR:
.PHONY: run test bench docs lint clean distclean

run: $(VENV)/installed
	$(BIN)/vista rc/starship.rc

# pytest comes last, so that its closing line is the last one printed.
test: $(VENV)/installed-test
	@.ci/system-packages $(TEST_PROGRAMS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	$(BIN)/pytest --numprocesses auto --dist worksteal

bench: $(VENV)/installed-bench
	$(BIN)/python -m benchmarks

docs: $(VENV)/installed-test
	$(BIN)/sphinx-build -q -W --keep-going -b html docs docs/_build/html
	@echo "open docs/_build/html/index.html"

lint: $(VENV)/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

clean:
	rm -rf build dist docs/_build .hypothesis .mypy_cache .pytest_cache .ruff_cache *.egg-info
	find apps benchmarks docs rc tests vista -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

distclean: clean
	rm -rf $(VENV)

# Stamp files: a second run installs nothing unless the packaging changed.

$(VENV)/made:
	@command -v "$(PYTHON)" > /dev/null || { \
	    echo 'no program "$(PYTHON)"; name a Python 3.11 or newer: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "vista needs Python 3.11 or newer, not $$($(PYTHON) --version 2>&1);" \
	        'name another: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo '"$(PYTHON)" cannot make a virtual environment; on Debian: apt-get install python3-venv' >&2; \
	    exit 1; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/installed: $(VENV)/made setup.cfg pyproject.toml
	$(PIP) --editable '.[http,starship,solidstate]'
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(PIP) --editable '.[test,docs]'
	@touch $@

$(VENV)/installed-bench: $(VENV)/installed
	$(PIP) --editable '.[bench,speed]'
	@touch $@
