# Every target makes .venv first where it is missing. PYTHON chooses the interpreter: make run PYTHON=python3.12

PYTHON ?= python3
STAGE ?= dev
CONTAINERS ?= 1000
RUNS ?= 40

.NOTPARALLEL:
.PHONY: run test test-slow test-packaged test-all fuzz mutants lint bench bench-fleet setup package clean

run: setup
	@.venv/bin/python -m devstack

# What finds most mistakes, in two minutes.
test: setup
	@.venv/bin/python -m pytest -n 4 --dist loadgroup -m "not slow" $(ARGS)

# The rest of the tests.
test-slow: setup
	@.venv/bin/python -m pytest -n 4 --dist loadgroup -m slow $(ARGS)

# Run the same tests on what is deployed: the unpacked package, with its bytecode.
test-packaged: setup
	@PACKAGED="$$(.venv/bin/python -m tests.packaged)" .venv/bin/python -m pytest -n 4 --dist loadgroup $(ARGS)

fuzz: setup
	@.venv/bin/python -m tests.fuzz

# Break lines on purpose: a test has to fail for each. docs/testing.md says how to add one.
mutants: setup
	@.venv/bin/python -m tests.mutants $(ARGS)

test-all: test test-slow test-packaged fuzz

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo --no-cache

bench: setup
	@.venv/bin/python -m benchmarks --runs $(RUNS)

bench-fleet: setup
	@.venv/bin/python -m benchmarks.fleet --containers $(CONTAINERS)

package: setup
	@.venv/bin/python -m stagectl.packaging --stage $(STAGE)

setup: .venv/.ready

# The mark comes last, so that an interrupted setup starts again. Every path is relative: the checkout's may have spaces.
.venv/.ready: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("notes-billing needs Python 3.10 or later: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@echo "Setting up .venv; this happens once and takes about half a minute."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation -e .
	@touch $@

clean:
	rm -rf .venv build *.egg-info .chalice/deployments .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
