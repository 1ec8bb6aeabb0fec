# Everything here works on a machine that has Python 3.11 or newer, git and make, and nothing else of ours.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
AIRFLOW ?= 3.3
# The newest supported Airflow lives in .venv, the others beside it.
VENV := $(if $(filter 3.3,$(AIRFLOW)),.venv,.venv-$(AIRFLOW))
CONSTRAINTS := constraints/$(if $(filter lowest,$(AIRFLOW)),lowest,airflow-$(AIRFLOW)).txt
BIN := $(VENV)/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PYTHONDONTWRITEBYTECODE := 1
# `.venv` brings uv, which fills the environments beside it in a fraction of pip's time. Where Airflow's own processes are
# started, all is compiled at once: with the line above each of them would do it again.
into = $(if $(wildcard .venv/bin/uv),.venv/bin/uv pip install -q $(if $(3),--compile-bytecode) --python $(1)/bin/python $(2) ||) \
	$(1)/bin/python -m pip install -qq $(if $(3),,--no-compile) $(2)

.PHONY: audit docs release help demo airflow test test-part test-warehouses test-cluster test-matrix faults-full hours lint format constraints build clean install

help: ## show this list
	@echo "ringg-provider: what make can do (GENERATION=g2 and AIRFLOW=3.1 are the two switches)"
	grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  \1|\2/' | column -t -s '|'

demo: install ## run two campaigns end to end in a real Airflow, about two minutes
	@exec $(BIN)/python -m demo run --generation $(or $(GENERATION),g3)

airflow: install ## the same wiring under the Airflow UI, until Ctrl-C
	@exec $(BIN)/python -m demo serve --generation $(or $(GENERATION),g3)

# Most tests wait for servers, so four at a time suit two cores. The fault schedules share one Airflow and run by themselves.
test: install ## the whole suite: PostgreSQL, sandbox and Airflow included
	@export EXPECTED_AIRFLOW=$(patsubst lowest,3.1,$(AIRFLOW))
	if [ -n "$(ARGS)" ]; then exec $(BIN)/python -m pytest $(ARGS); fi
	$(BIN)/python -m pytest -n 4 --dist loadfile --ignore tests/faults --ignore tests/warehouses
	$(BIN)/python -m pytest tests/faults
	if [ "$(AIRFLOW)" = 3.3 ]; then $(MAKE) test-warehouses; fi

test-warehouses: .venv-warehouses/.installed .venv-bqemulator/.installed ## publishing, against emulators of Snowflake, BigQuery and S3; the control room with FAB's users
	@export EXPECTED_AIRFLOW=3.3
	if [ -n "$(ARGS)" ]; then exec .venv-warehouses/bin/python -m pytest tests/warehouses $(ARGS); fi
	.venv-warehouses/bin/python -m pytest -n 3 --dist loadfile tests/warehouses
	.venv-warehouses/bin/python -m pytest -n 3 --dist loadfile tests/ui -k fab

test-cluster: .venv-cluster/.installed ## campaigns on a cluster whose machines die: make test-cluster SEEDS=20 FIRST=1 CAMPAIGNS=12
	@exec .venv-cluster/bin/python -m tests.cluster --seeds $(or $(SEEDS),2) --first $(or $(FIRST),1) --campaigns $(or $(CAMPAIGNS),30) $(ARGS)

# What differs from one Airflow to the next, in some five minutes on two cores; the rest of the suite asks Airflow for little.
PART := $(addprefix tests/example_dags/test_,campaigns.py careful.py in_a_running_airflow.py new_calls.py nights.py rules.py \
		smartalex.py stops.py webhook.py) \
	$(addprefix tests/operators/,test_native_rendering.py test_smartalex.py ringg/test_events.py ringg/test_launching.py \
		ringg/test_waiting_and_stopping.py) \
	tests/sensors tests/triggers \
	$(addprefix tests/transfers/test_,mapped_launches.py publish.py query_parameters.py ringg_to_sql.py smartalex_to_sql.py \
		sql_to_ringg.py sql_to_smartalex.py task_loops.py) \
	tests/lineage/test_assets.py tests/test_deadlines.py tests/ui/test_access.py tests/ui/test_plugin.py \
	tests/test_packaging.py tests/test_provider_info.py tests/test_provider_operators.py

test-part: install ## examples, launching, waiting, transfers, control room, packaging: make test-part AIRFLOW=3.1
	@export EXPECTED_AIRFLOW=$(patsubst lowest,3.1,$(AIRFLOW))
	exec $(BIN)/python -m pytest -q -n 4 --dist loadfile $(PART) $(ARGS)

test-matrix: install ## the suite on every Airflow and Python, into docs/compatibility.md: CELLS="3.4/3.11 3.1/3.13"
	@$(BIN)/python tools/matrix.py $(CELLS)

faults-full: install ## every crash and fault schedule, not only the chosen ones; takes hours
	@RINGG_FAULTS=full $(BIN)/python -m pytest tests/faults --timeout 0 $(ARGS)

hours: install ## calling hours against a slow and obvious reading: make hours CAMPAIGNS=400 SEED=1
	@$(BIN)/python -m tests.hours.oracle --campaigns $(or $(CAMPAIGNS),400) --seed $(or $(SEED),1)

lint: install .venv-checks/.installed ## ruff, import-linter and mypy; the workflows, the issue forms, licences of dependencies
	@$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/mypy
	$(BIN)/python tools/licenses.py
	.venv-checks/bin/zizmor --offline --quiet --persona pedantic .github
	.venv-checks/bin/check-jsonschema --quiet --builtin-schema vendor.github-workflows .github/workflows/*.yml
	.venv-checks/bin/check-jsonschema --quiet --builtin-schema vendor.github-issue-forms $(filter-out %/config.yml,$(wildcard .github/ISSUE_TEMPLATE/*.yml))

# Strict: a package that could not be looked up is no package without a known vulnerability.
audit: .venv-checks/.installed ## known vulnerabilities of what the newest Airflow is tested with; asks the network
	@.venv-checks/bin/pip-audit --strict --requirement constraints/airflow-3.3.txt --no-deps --disable-pip

format: install ## let ruff put the code in order
	@$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

constraints: install ## resolve the versions for every Airflow again, and try every extra beside them: ARGS=--upgrade
	@$(BIN)/python tools/constraints.py $(ARGS)

build: install ## the wheel and the source distribution, into dist/
	@rm -rf dist
	$(BIN)/python -m build -q --no-isolation

release: install .venv-checks/.installed ## all of a release but the upload, into dist/: TAG=v1.2.3 must be this version's
	@$(BIN)/python tools/release.py --tag "$(TAG)"
	$(MAKE) lint docs
	.venv-checks/bin/python tools/check_sbom.py dist/*.whl

docs: .venv-docs/.installed ## the site of the documentation, into site/; to be read without a network
	@.venv-docs/bin/python tools/site/snippets.py
	NO_MKDOCS_2_WARNING=true .venv-docs/bin/mkdocs build
	.venv-docs/bin/python tools/site/check.py site

clean: ## remove what the other targets made
	@rm -rf .venv .venv-* .matrix .demo build dist site .coverage .coverage.* htmlcov .*_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

install: $(VENV)/.installed

$(VENV)/.installed: pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; say which: make PYTHON=/path/to/python"; exit 1; }
	echo "Installing Airflow $(AIRFLOW) and the provider into $(VENV); the first time takes a few minutes."
	[ -x $(BIN)/python ] || $(PYTHON) -m venv $(VENV)
	$(call into,$(VENV),-e ".[dev]" -c $(CONSTRAINTS),compiled)
	touch $@

.venv-warehouses/.installed: pyproject.toml constraints/airflow-3.3.txt
	@echo "Installing the warehouses' Airflow providers and emulators into .venv-warehouses; the first time takes some minutes."
	[ -x .venv-warehouses/bin/python ] || $(PYTHON) -m venv .venv-warehouses
	$(call into,.venv-warehouses,-e ".[warehouses]" -c constraints/airflow-3.3.txt,compiled)
	# Airflow's provider of MySQL wants mysqlclient, which has no wheel; its other driver has one.
	.venv-warehouses/bin/python -m pip install -qq --no-compile --no-deps apache-airflow-providers-mysql mysql-connector-python -c constraints/airflow-3.3.txt
	.venv-warehouses/bin/python -m pip install -qq --no-compile mysqlclient -c constraints/airflow-3.3.txt 2>/dev/null \
		|| echo "mysqlclient cannot be built here, for want of a compiler or of MySQL's headers: its tests are skipped."
	touch $@

.venv-cluster/.installed: pyproject.toml constraints/airflow-3.3.txt
	@[ -x .venv-cluster/bin/python ] || $(PYTHON) -m venv .venv-cluster
	$(call into,.venv-cluster,-e ".[cluster]" -c constraints/airflow-3.3.txt,compiled)
	touch $@

# What the emulator of BigQuery is pinned to, the one of Snowflake is not.
.venv-bqemulator/.installed: constraints/bqemulator.txt
	@[ -x .venv-bqemulator/bin/python ] || $(PYTHON) -m venv .venv-bqemulator
	$(call into,.venv-bqemulator,-r constraints/bqemulator.txt)
	touch $@

# The site is built from the sources, which are read and not imported: nothing of Airflow is needed here.
.venv-docs/.installed: constraints/docs.txt
	@[ -x .venv-docs/bin/python ] || $(PYTHON) -m venv .venv-docs
	$(call into,.venv-docs,-r constraints/docs.txt)
	touch $@

.venv-checks/.installed: constraints/checks.txt
	@[ -x .venv-checks/bin/python ] || $(PYTHON) -m venv .venv-checks
	$(call into,.venv-checks,-r constraints/checks.txt)
	touch $@
