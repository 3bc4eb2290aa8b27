.DEFAULT_GOAL := help
SHELL := /bin/bash
# the first Python that is new enough
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
RELEARN := $(BIN)/relearn
PACKAGES = $(sort $(notdir $(patsubst %/__init__.py,%,$(wildcard libs/*/relearn_*/__init__.py services/*/relearn_*/__init__.py deploy/local/relearn_*/__init__.py examples/*/*_demo/__init__.py))))
PACKAGE_FOLDERS = $(patsubst %/,%,$(sort $(dir $(wildcard libs/*/pyproject.toml services/*/pyproject.toml deploy/local/pyproject.toml examples/*/pyproject.toml))))
# module names that an editable or typed package does not tell
DEPTRY := --package-module-name-map 'relearn-contracts=relearn|relearn_contracts,googleapis-common-protos=google,grpcio-status=grpc_status'
# the loop runs without its labeling page, where npm has no registry
PAGE_IF_IT_CAN := $(BIN)/python tools/page.py build || echo "The labeling page is not built: the message above says why. All else goes on without it."
export OMP_WAIT_POLICY := PASSIVE

.PHONY: help
help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

.PHONY: setup
setup: ## make .venv from the lock and install every package; quick when nothing changed
	@test -n "$(PYTHON)" || { echo "Relearn needs Python 3.11 or newer. Have it under another name? make PYTHON=/path/to/python"; exit 1; }
	@$(PYTHON) tools/environment.py setup

.PHONY: page
page: setup ## build the labeling page that the console serves; quick when nothing changed
	@$(BIN)/python tools/page.py build

.PHONY: lock
lock: ## resolve what the packages declare into requirements.lock
	@$(PYTHON) tools/environment.py lock

.PHONY: released
released: setup ## take today's contracts as those that nothing may break any more
	@cd proto && ../$(BIN)/buf build --exclude-source-info -o released.binpb

.PHONY: demo
demo: setup ## the whole loop on real images, told as it happens
	@$(PAGE_IF_IT_CAN)
	@$(BIN)/python -m fashion_demo

.PHONY: up
up: setup ## start Kafka, PostgreSQL and all services on this machine
	@$(PAGE_IF_IT_CAN)
	@$(RELEARN) up

.PHONY: down
down: setup ## stop them
	@$(RELEARN) down

.PHONY: reset
reset: setup ## stop them and delete all they keep
	@$(RELEARN) reset

.PHONY: fmt
fmt: setup ## format and sort imports
	@$(BIN)/ruff check --quiet --fix-only .
	@$(BIN)/ruff format --quiet .

.PHONY: check
check: setup ## lint, format, types, import rules, declared dependencies, contracts
	@echo "ruff";         $(BIN)/ruff check --quiet . && $(BIN)/ruff format --quiet --check .
	@echo "mypy";         $(BIN)/mypy --no-error-summary $(addprefix -p ,$(PACKAGES))
	@echo "import rules"; $(BIN)/lint-imports --no-cache > .lint-imports.log || { cat .lint-imports.log; exit 1; }
	@echo "deptry";       for folder in $(PACKAGE_FOLDERS); do (cd $$folder && ../../$(BIN)/deptry . $(DEPTRY) 2>&1) > .deptry.log \
		|| { echo "$$folder:"; cat .deptry.log; exit 1; }; done
	@echo "page";         $(BIN)/python tools/page.py check
	@echo "buf";          cd proto && ../$(BIN)/buf lint && ../$(BIN)/buf breaking --against released.binpb

.PHONY: test
test: check page ## everything that CI runs: checks, then unit, contract, integration and end-to-end tests, and a short run of kills
	@$(BIN)/python tools/page.py test
	@$(BIN)/pytest -q -n 2 --dist loadfile --ignore=tests/e2e --ignore=tests/chaos
	@$(BIN)/pytest -q tests/e2e tests/chaos
	@echo "make test: all checks and tests passed"

.PHONY: chaos
chaos: setup ## the long run of random kills
	@CHAOS_SEEDS=$(or $(CHAOS_SEEDS),3) $(BIN)/pytest -q tests/chaos

.PHONY: bench
bench: setup ## what the loop and the gateway cost; figures are kept in docs/performance.md
	@test -e .relearn/demo/events.jsonl || $(MAKE) demo
	@failed=; for program in bench/*/measure.py bench/labeling/exchange.py bench/labeling/quality.py bench/labeling/report.py; do echo "$$program"; $(BIN)/python $$program || failed="$$failed $$program"; done; \
		test -z "$$failed" || { echo "not measured, the messages above say why:$$failed"; exit 1; }
