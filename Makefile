# `make run` and `make test` set themselves up. PYTHON chooses the interpreter: make run PYTHON=python3.12

PYTHON ?= python3
STAGE ?= dev
CONTAINERS ?= 1000
RUNS ?= 40

.PHONY: run test test-packaged fuzz lint bench bench-fleet setup package clean

run: setup
	@.venv/bin/python -m devstack

test: setup
	@.venv/bin/python -m pytest -n 4 --dist loadgroup $(ARGS)

# The same tests, of what is deployed: the package's files, unpacked, with the bytecode in it.
test-packaged: setup
	@PACKAGED="$$(.venv/bin/python -m tests.packaged)" .venv/bin/python -m pytest -n 4 --dist loadgroup $(ARGS)

lint: setup
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check .
	@.venv/bin/mypy

bench: setup
	@.venv/bin/python -m benchmarks --runs $(RUNS)

bench-fleet: setup
	@.venv/bin/python -m benchmarks.fleet --containers $(CONTAINERS)

fuzz: setup
	@.venv/bin/python -m tests.fuzz

package: setup
	@.venv/bin/python -m stagectl.package --stage $(STAGE)

setup: .venv/.ready

# stagectl begins as pip's scripts do, so that a path may have spaces: sh sees exec, Python a string.
# The mark is set last, so that a set-up that was broken off is begun again.
.venv/.ready: requirements.txt requirements-dev.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 10) or sys.exit("notes-billing needs Python 3.10 or later: make $(MAKECMDGOALS) PYTHON=python3.12")'
	@echo "Setting up .venv; this happens once and takes about half a minute."
	@$(PYTHON) -m venv .venv
	@.venv/bin/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@printf "%s\n" "#!/bin/sh" "'''exec' '$(CURDIR)/.venv/bin/python' \"\$$0\" \"\$$@\"" "' '''" \
		"import sys" "sys.path.insert(0, '$(CURDIR)')" "from stagectl.cli import main" "main()" > .venv/bin/stagectl
	@chmod +x .venv/bin/stagectl
	@touch $@

clean:
	rm -rf .venv build .chalice/deployments .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +
