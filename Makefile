# Every target first installs what it needs in .venv, if that is missing. PYTHON chooses the interpreter: make run PYTHON=python3.12

PYTHON ?= python3
STAGE ?= dev
CONTAINERS ?= 1000
RUNS ?= 40

.NOTPARALLEL:
.PHONY: run test test-slow test-packaged test-all fuzz mutants lint bench bench-fleet bench-console setup package pins clean

run: .venv/.run
	@.venv/bin/python -m devstack

# What finds most mistakes, in two minutes.
test: .venv/.test
	@.venv/bin/python -m pytest -n 4 --dist loadgroup -m "not slow" $(ARGS)

# The rest of the tests.
test-slow: .venv/.test
	@.venv/bin/python -m pytest -n 4 --dist loadgroup -m slow $(ARGS)

# Run the tests of the service on what is deployed: the unpacked package, with its bytecode.
test-packaged: .venv/.test
	@PACKAGED="$$(.venv/bin/python -m tests.packaged)" .venv/bin/python -m pytest -n 4 --dist loadgroup \
		tests/unit tests/service tests/deployed $(ARGS)

fuzz: .venv/.test
	@.venv/bin/python -m tests.fuzz

# Break lines on purpose: a test has to fail for each. docs/testing.md describes how to add one.
mutants: .venv/.test
	@.venv/bin/python -m tests.mutants $(ARGS)

test-all: test test-slow test-packaged fuzz

lint: .venv/.lint
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy
	@.venv/bin/lint-imports --no-logo --no-cache

bench: .venv/.bench
	@.venv/bin/python -m benchmarks --runs $(RUNS)

bench-fleet: .venv/.bench
	@.venv/bin/python -m benchmarks.fleet --containers $(CONTAINERS)

# Measure the console of a running `make run`.
bench-console: .venv/.test
	@.venv/bin/python -m benchmarks.console

package: .venv/.run
	@.venv/bin/python -m stagectl.packaging --stage $(STAGE)

setup: .venv/.run

# Each target installs its section of requirements-dev.txt when it is first called: environment/install.py.
# An installed one starts without pip. Every path is relative, because the checkout's may have spaces.
.venv/.%: requirements.txt requirements-dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("notes-billing needs Python 3.10 or later: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@$(PYTHON) -m environment.install $*

# Write the versions and hashes of all packages into requirements-dev.txt: make pins ARGS="--upgrade-package moto"
pins:
	@$(PYTHON) -m environment.pins $(ARGS)

clean:
	rm -rf .venv build *.egg-info .chalice/deployments .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
