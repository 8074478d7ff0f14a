# Each target does its own set-up: a machine with Python 3.11+ and make is enough.
PYTHON ?= python3
VENV ?= .venv
UV := $(or $(shell command -v uv 2>/dev/null),.uv/bin/uv)
MEMBERS := schemas libs/runtime libs/operations services/gateway services/order-writer services/enricher services/action-trigger deploy/local deploy/manifests
STAMP := $(VENV)/.installed
IN := $(VENV)/bin/

.PHONY: setup demo test test-tools drills faults nemesis mutants bench bench-guard profile check lint fast format schemas observability manifests released lock clean

setup: $(STAMP)

.uv/bin/uv:
	$(PYTHON) -m venv .uv
	.uv/bin/pip install --quiet --disable-pip-version-check 'uv>=0.9'

$(STAMP): requirements.lock $(MEMBERS:%=%/pyproject.toml) | $(UV)
	test -x $(IN)python || $(UV) venv --quiet --python $(PYTHON) $(VENV)
	$(UV) pip sync --quiet --compile-bytecode --python $(IN)python --require-hashes requirements.lock
	$(UV) pip install --quiet --python $(IN)python --no-deps $(MEMBERS:%=-e %)
	touch $@

demo: setup  ## watch sample orders flow through the real system
	$(IN)orders demo

test: setup  ## everything but what needs a system tool, on one real Kafka and one real mongod
	$(IN)pytest -n 2 --dist loadfile -m "not tools and not faults" $(if $(STACK),--stack $(STACK))

test-tools: setup  ## the tests that need a system tool: kcat, Prometheus, kubectl, buildah, mmdebstrap, Go
	$(IN)pytest -m "tools and not faults"

drills: setup  ## plant fourteen failures: which alerts is a person told of? needs Prometheus and Alertmanager
	$(IN)pytest -m "tools and faults"

NEMESIS := $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--seed $(SEED)) $(if $(FAULT),--fault '$(FAULT)') $(if $(SECURE),--secure)

MUTANTS := $(if $(SEED),--seed $(SEED)) $(if $(COUNT),--count $(COUNT)) $(if $(ONLY),--only '$(ONLY)')

faults: setup  ## the long tests: planted bugs, a cluster, everything broken (for MINUTES=60), …
	$(IN)pytest -m "faults and not tools" $(NEMESIS)

nemesis: setup  ## of the long tests, the one that breaks everything in turn
	$(IN)pytest -s tests/faults/test_nemesis.py $(NEMESIS)

mutants: setup  ## change the domains in COUNT small ways, drawn by SEED: do the fast tests notice?
	PYTHONPATH=tests $(IN)python -m support.mutants $(MUTANTS)

BENCH := $(VENV)-bench
PEERS := tests/bench/peers/requirements
BENCHING := BENCH_PYTHON=$(BENCH)/bin/python PYTHONPATH=tests $(IN)python -m
STAGE ?=

$(BENCH)/.installed: $(PEERS).lock | $(UV)
	test -x $(BENCH)/bin/python || $(UV) venv --quiet --python $(PYTHON) $(BENCH)
	$(UV) pip sync --quiet --compile-bytecode --python $(BENCH)/bin/python --require-hashes $(PEERS).lock
	touch $@

bench: setup $(BENCH)/.installed  ## measure a STAGE, or all, beside what users would take instead: docs/performance.md
ifeq ($(STAGE),growth)
	PYTHONPATH=tests $(IN)python -m bench.growth $(if $(SCALE),--scale $(SCALE))
else
	$(BENCHING) bench $(STAGE) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(SCALE),--scale $(SCALE))
endif

bench-guard: setup  ## does an order cost more CPU than the committed ratios allow? under two minutes
	PYTHONPATH=tests $(IN)python -m bench.guard $(if $(RECORD),--record)

profile: setup $(BENCH)/.installed  ## where the CPU of a STAGE goes
	$(BENCHING) bench.profile $(STAGE) $(if $(SCALE),--scale $(SCALE))

check: lint fast  ## make lint and make fast

lint: setup  ## format, lint, types, import laws, generated documents, compatible messages
	$(IN)ruff format --check .
	$(IN)ruff check .
	$(IN)mypy
	$(IN)lint-imports
	$(IN)python -m order_contracts.specs.export schemas --check
	$(IN)python -m order_contracts.specs.compatibility schemas
	$(IN)python -m order_operations.observability.export deploy/observability --check
	$(IN)python -m order_manifests.export deploy --check

fast: setup  ## the fast tests: no Kafka, no MongoDB
	$(IN)pytest -q -n 2 -m "not stack" tests/unit tests/contract tests/conformance

format: setup
	$(IN)ruff format .
	$(IN)ruff check --fix .

schemas: setup  ## write the generated documents
	$(IN)python -m order_contracts.specs.export schemas

observability: setup  ## write the alert rules and dashboards in deploy/observability
	$(IN)python -m order_operations.observability.export deploy/observability

manifests: setup  ## write the generated manifests
	$(IN)python -m order_manifests.export deploy

released: setup  ## hold the messages, from now on, to what they are; refused where that breaks what they were
	$(IN)python -m order_contracts.specs.compatibility schemas --release

lock: | $(UV)  ## resolve anew; the lock names versions and hashes but no host, so any mirror serves it
	$(UV) lock --quiet --upgrade
	$(UV) export --quiet --all-packages --all-extras --no-emit-workspace --no-header --no-annotate --format requirements-txt --output-file requirements.lock
	$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file $(PEERS).lock $(PEERS).in
	for it in deploy/images/build deploy/local/order_stack/dashboard/requirements tests/tools/validators/requirements; do \
		$(UV) pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate --output-file $$it.lock $$it.in || exit 1; \
	done

clean:
	rm -rf .venv .venv-* .uv .mypy_cache .ruff_cache .pytest_cache
