# make run: the plan's seven scenarios in the embedded sandbox; make run SCENARIO=name: one of them;
# make test and make test-long: everything that must hold.
SCENARIO ?= all
PACE ?= quick
DEFECTS ?=
ARGS ?=
TESTS ?=
PYTHON ?= python3
ROWS ?= all
SEEDS ?= 1
JOBS ?= 2
LONG := tests/test_kills.py tests/real \
  $(patsubst %,tests/test_acceptance_%.py,convictions explore explain distributed cluster cool_down replicas through)
VENV := .venv
BIN := $(VENV)/bin

# A run has eight processes: compiling the sources anew in each of them would cost it half a second of a core.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run selftest test-long test lint real bench clean
.DELETE_ON_ERROR:

# Built by the install where there is a C compiler; without one all is done in Python, more slowly.
COMPILED := chaos_hooks/_loops reports/_frames shapes/_splice

$(VENV)/.run-ready: pyproject.toml constraints.txt $(COMPILED:%=%.c)
	@$(PYTHON) -c 'import sys; sys.exit(0 if sys.version_info >= (3, 11) else "alertstorm needs Python 3.11 or newer, this is %s; say: make run PYTHON=python3.12" % sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable .
	@ls $(COMPILED:%=%.*.so) >/dev/null 2>&1 || echo "make: nothing was compiled (no C compiler, or no headers of Python): alerts are sent by Python alone, at half the speed" >&2
	@touch $@

$(VENV)/.test-ready: $(VENV)/.run-ready
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@# For the axe-core in it alone: tests/browser.py drives the browser, not playwright, which is large.
	$(BIN)/pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps axe-playwright-python
	@touch $@

run: $(VENV)/.run-ready
	@$(BIN)/locust --headless --loglevel WARNING --chaos-scenario $(SCENARIO) --chaos-pace $(PACE) \
	  $(if $(DEFECTS),--chaos-start-args "--gateway-defects $(DEFECTS)") $(ARGS)

selftest: $(VENV)/.run-ready
	@$(BIN)/python -m sandbox.selftest --rows $(ROWS) --seeds $(SEEDS) --jobs $(JOBS) $(ARGS)

lint: $(VENV)/.test-ready
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy shapes reports chaos_hooks sandbox locustfile.py
	$(BIN)/lint-imports

# Two at a time, each file in one process: most of them wait for real processes, not for a core.
test: lint
	$(BIN)/pytest -n 2 --dist loadfile $(TESTS) $(if $(TESTS),,$(LONG:%=--ignore=%))

# What takes minutes: each a whole run or several, with kills, defects, workers, a cluster's API, and the real parts.
test-long: $(VENV)/.test-ready
	$(BIN)/pytest -n 2 --dist loadfile $(LONG)

# Against the real parts that the sandbox imitates: installs what can be had, and says what skips for the lack of it.
real: $(VENV)/.test-ready
	tests/real/install.sh
	$(BIN)/pytest -rs tests/real

# This tool beside others, on one core each; takes minutes. PARTS: of speed posts late hang ledger; all unless given.
ROUNDS ?= 5
PARTS ?=
bench: $(VENV)/.run-ready
	$(BIN)/python -m benchmarks $(PARTS) --rounds $(ROUNDS)

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis build $(COMPILED:%=%.*.so)
