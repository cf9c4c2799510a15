# What these targets make stays in this checkout: programs in .venv, data in .tollgate. There is one exception: if root runs
# them in a folder that other users can't read, the database programs are copied to /var/cache/tollgate.

PORT ?= 8000
PYTHON ?= python3
BIN := .venv/bin
RUNNING := .venv/installed-for-running
DEVELOPING := .venv/installed-for-developing
# Tests also wait for other processes, so there is one worker more than there are cores.
PYTEST := pytest -n $$(($$(nproc) + 1)) --dist worksteal
LOCK := uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# Packages are compiled when they are first imported. Without this, every process would compile them anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help run test coverage bench faults howtos lint types style imports migrations format lock words client-types packages docs clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

run: $(RUNNING) ## run all of Tollgate on this machine, at PORT=8000; Ctrl-C stops it
	@$(BIN)/python -m config.local.supervisor --port $(PORT)

test: $(DEVELOPING) ## run the tests on real PostgreSQL and Valkey, on every core
	$(BIN)/python -m $(PYTEST)

coverage: $(DEVELOPING) ## run the tests, and list the lines that they don't reach
	$(BIN)/python -m slipcover -m $(PYTEST)

faults: $(DEVELOPING) ## kill -9 everything that runs, 20 times each, under load, and check that nothing is lost or doubled
	$(BIN)/python -m tests.faults
	$(BIN)/python -m tests.faults --control
	$(BIN)/python -m tests.faults.payments
	$(BIN)/python -m tests.faults.outside
	MACHINES=1 $(BIN)/python -m pytest -s tests/faults/test_machines.py
	WEBHOOKS_KILLED=20 WEBHOOKS_DEAD=12 WEBHOOKS_GOOD=50 $(BIN)/python -m pytest -s \
		tests/accounts/webhooks/test_killed.py tests/accounts/webhooks/test_lanes.py

howtos: $(DEVELOPING) ## run the how-tos of the documentation word for word, and recover a database to a point in time
	HOWTOS=1 $(BIN)/python -m pytest tests/howtos

bench: $(DEVELOPING) ## measure against the limits of this machine; ONLY=verify,hold or EVENTS=100000 makes it shorter
	@$(BIN)/python -m benchmarks $(if $(ONLY),--only $(ONLY)) $(if $(EVENTS),--events $(EVENTS)) \
		$(if $(STRICT),--strict)

lint: types style imports migrations ## check style, types, imports and migrations

types: $(DEVELOPING)
	$(BIN)/mypy .

style: $(DEVELOPING)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

imports: $(DEVELOPING)
	$(BIN)/lint-imports

migrations: $(DEVELOPING)
	$(BIN)/python manage.py makemigrations --check --dry-run

format: $(DEVELOPING) ## format the code
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

lock: ## write the two lock files, one for running and one for developing (needs uv)
	$(LOCK) --extra embedded --extra telemetry -o requirements.lock
	$(LOCK) --all-extras --constraint requirements.lock -o requirements-dev.lock

words: $(RUNNING) ## put new texts of pages and emails into locale/, for translation
	$(BIN)/python -m config.local.words

client-types: $(DEVELOPING) ## write the types of both clients from the OpenAPI document
	$(BIN)/python manage.py spectacular --format openapi-json | $(BIN)/python clients/generate_types.py

packages: $(DEVELOPING) ## build what is published into build/: sdist and wheel, and with npm the tarball
	$(BIN)/python -m build --no-isolation --outdir build clients/python
	cd clients/javascript && npm ci --ignore-scripts && npx tsc && npm pack --pack-destination ../../build

docs: $(DEVELOPING) ## build the documentation into docs/_build
	$(BIN)/sphinx-build -W docs docs/_build

clean: ## remove everything that was made, except the data in .tollgate
	rm -rf .venv docs/_build .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The marker is written last, so that an installation that was interrupted is resumed.
$(RUNNING): requirements.lock
	@$(PYTHON) config/local/install.py requirements.lock
	@touch $@

$(DEVELOPING): requirements-dev.lock $(RUNNING)
	@$(PYTHON) config/local/install.py requirements-dev.lock
	@touch $@
