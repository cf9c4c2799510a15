# Tollgate's verbs. What they make stays in this checkout: .venv (programs) and .tollgate (data). Only where root runs a
# checkout that others may not enter, a copy of the database programs goes to /var/cache/tollgate.

PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
RUNNING := .venv/installed-for-running
DEVELOPING := .venv/installed-for-developing
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

.DEFAULT_GOAL := help
.PHONY: help run test bench faults lint format lock docs clean

help: ## list these verbs
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 16

run: $(RUNNING) ## run all of Tollgate on this machine, at PORT=8000; Ctrl-C stops it
	@$(BIN)/python -m config.local.supervisor --port $(PORT)

test: $(DEVELOPING) ## run the tests on real PostgreSQL and Valkey, on every core
	$(BIN)/python -m pytest -n $$(nproc) --cov --cov-report=term:skip-covered

faults: $(DEVELOPING) ## kill -9 of all that runs, 20 times each, under load: nothing lost, nothing doubled
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.faults --control

bench: $(DEVELOPING) ## measure against the limits of this machine; ONLY=verify,hold and EVENTS=100000 make it shorter
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(EVENTS),--events $(EVENTS)) \
		$(if $(STRICT),--strict)

lint: $(DEVELOPING) ## check style, types, the order of imports and the migrations
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy .
	$(BIN)/lint-imports
	$(BIN)/python manage.py makemigrations --check --dry-run

format: $(DEVELOPING) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## lock what pyproject.toml asks for: one lock for running, one for developing (needs uv)
	$(LOCK) --extra embedded -o requirements.lock
	$(LOCK) --all-extras --constraint requirements.lock -o requirements-dev.lock

docs: $(DEVELOPING) ## build the documentation into docs/_build
	$(BIN)/sphinx-build -W docs docs/_build

clean: ## remove all that was made, except the data in .tollgate
	rm -rf .venv docs/_build .coverage* .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Written last, so that an installation that was cut short is taken up again.
$(RUNNING): requirements.lock
	@$(PYTHON) config/local/install.py requirements.lock
	@touch $@

$(DEVELOPING): requirements-dev.lock $(RUNNING)
	@$(PYTHON) config/local/install.py requirements-dev.lock
	@touch $@
