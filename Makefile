# One door for everything: `make help` lists it.
.DEFAULT_GOAL := help
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
BROWSER := $(VENV)/.browser
READERS := build/readers
CHROMIUM ?= chromium
export CHROMIUM

.PHONY: help install demo models test test-fast proofs test-browser test-readers exports golden lint types format bench bench-objects docs lock up clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(INSTALLED) ## Make .venv with the regatta command, from the hash-locked requirements

# uv when it can be had (seconds), else pip (a minute): the same lock, the same hashes.
# The checkout by a line in a .pth file: setuptools' hook would come after any folder called regatta
# on PYTHONPATH.
$(INSTALLED): requirements.lock requirements-uv.lock pyproject.toml setup.py
	@echo "making $(VENV), and installing what Regatta needs into it (a minute or two)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock || true
	$(BIN)/uv pip install --quiet --system-certs --compile-bytecode --python $(BIN)/python --require-hashes -r requirements.lock \
	  || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation \
	  --config-settings editable_mode=compat --editable .
	@touch $@

demo: install ## Run the whole system on sample data, and write a report to look at
	$(BIN)/regatta demo

models: install ## Train the shipped models anew, measure them, write their cards (90 minutes)
	$(BIN)/python -m training.train

# Four processes keep two cores busy: half of the time, tests wait for something. Hundreds of
# processes import the code that is tested: without its bytecode each would compile it anew.
PYTEST := PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest --numprocesses=4 --dist=loadgroup
test: install ## Run the tests (COVERAGE=yes: with branch coverage of core, scheduler and store)
	$(PYTEST) -m "not proof" $(if $(COVERAGE),--cov --cov-report=term)

proofs: install ## Run the long proofs: of every shipped model, of memory, of a service that fails
	$(PYTEST) -m proof

test-fast: install ## Run the tests of single parts, and the contracts of object stores
	$(PYTEST) tests/unit tests/contracts

test-browser: $(BROWSER) ## Look at reports in a real Chromium (CHROMIUM=command)
	$(BIN)/python -m pytest --numprocesses=2 tests/browser

$(BROWSER): $(INSTALLED) requirements-browser.lock
	$(BIN)/uv pip install --quiet --system-certs --python $(BIN)/python --require-hashes -r requirements-browser.lock \
	  || $(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-browser.lock
	@command -v "$(CHROMIUM)" >/dev/null \
	  || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && apt-get update --quiet=2 \
	       && DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends chromium \
	       && command -v "$(CHROMIUM)" >/dev/null; } \
	  || { echo "There is no '$(CHROMIUM)' here: install Debian's package chromium (apt-get install chromium)," \
	       "or name yours, as in: make test-browser CHROMIUM=google-chrome" >&2; exit 1; }
	@touch $@

# An environment of its own: half a gigabyte, and some of it wants other versions than Regatta does.
test-readers: install $(READERS)/.installed ## Load what `regatta export` writes with independent readers
	$(BIN)/python -m pytest --numprocesses=2 tests/readers

$(READERS)/.installed: requirements-readers.lock
	$(PYTHON) -m venv $(READERS)
	$(BIN)/uv pip install --quiet --system-certs --python $(READERS)/bin/python --require-hashes -r $< \
	  || $(READERS)/bin/pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@

# Official checkouts, and where exports of their models are to be or are.
PADDLEDETECTION ?= $(REGATTA_PADDLEDETECTION)
PADDLESEG ?= $(REGATTA_PADDLESEG)
OUT ?= $(REGATTA_EXPORTS)

# An environment of its own: files of Paddle 3.0.0 load in every later one, and the official
# repositories want an older NumPy.
EXPORTING := build/exporting
PHOTOS = $(REGATTA_REFERENCE)/media/photos
exports: ## Export official models to compare with (OUT=folder PADDLEDETECTION= PADDLESEG=checkouts)
	@test -n "$(OUT)" && test -n "$(PADDLEDETECTION)$(PADDLESEG)" && test -d "$(PHOTOS)" \
	  || { echo "make exports OUT=folder PADDLEDETECTION=checkout PADDLESEG=checkout [MODELS=names]" \
	       "with REGATTA_REFERENCE=folder, whose media/photos calibrate: see docs/testing.md" >&2; exit 2; }
	@$(MAKE) --no-print-directory $(EXPORTING)/.installed
	$(EXPORTING)/bin/python tests/golden/exports/make.py --out $(OUT) --photos $(PHOTOS) \
	  $(if $(PADDLEDETECTION),--paddledetection $(PADDLEDETECTION)) \
	  $(if $(PADDLESEG),--paddleseg $(PADDLESEG)) $(MODELS)

$(EXPORTING)/.installed: requirements-exports.lock
	$(PYTHON) -m venv $(EXPORTING)
	$(EXPORTING)/bin/pip install --quiet --disable-pip-version-check --require-hashes --requirement $<
	@touch $@

golden: install ## Compare answers with official tools and a second engine (REGATTA_REFERENCE=folder)
	@test -d "$(REGATTA_REFERENCE)/expected" \
	  || { echo "make golden REGATTA_REFERENCE=folder, which has models, media/photos and expected:" \
	       "see docs/testing.md, and for what else can be compared" >&2; exit 2; }
	REGATTA_REFERENCE=$(REGATTA_REFERENCE) $(if $(OUT),REGATTA_EXPORTS=$(OUT)) \
	  $(if $(PADDLEDETECTION),REGATTA_PADDLEDETECTION=$(PADDLEDETECTION)) \
	  $(if $(PADDLESEG),REGATTA_PADDLESEG=$(PADDLESEG)) \
	  $(BIN)/python -m pytest --numprocesses=2 --junit-xml=build/golden.xml tests/golden

lint: install ## Check style, types and the layers of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

types: install ## Check types only
	$(BIN)/mypy

format: install ## Put the code into shape
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Sizes for a few minutes; docs/performance.md has the commands for full ones.
FIGURES := build/benchmarks
bench: install ## Measure speed, memory and what shards cost (IMAGES=folder MODEL=export)
	$(BIN)/python -m benchmarks.pipeline --rounds 3 --json $(FIGURES)/pipeline.json \
	  $(if $(IMAGES),--images $(IMAGES)) $(if $(MODEL),--model $(MODEL))
	$(BIN)/python -m benchmarks.tasks --rounds 3 --json $(FIGURES)/tasks.json
	$(BIN)/python -m benchmarks.preprocess --json $(FIGURES)/preprocess.json
	$(if $(IMAGES),$(BIN)/python -m benchmarks.decoding --images $(IMAGES) --json $(FIGURES)/decoding.json)
	$(BIN)/python -m benchmarks.merging --json $(FIGURES)/merging.json
	$(BIN)/python -m benchmarks.planning --objects 100000 --json $(FIGURES)/planning.json
	$(BIN)/python -m benchmarks.control_plane --shards 500 --json $(FIGURES)/control-plane.json
	$(BIN)/python -m benchmarks.status --json $(FIGURES)/status.json
	$(BIN)/python -m benchmarks.export --images 10000 --json $(FIGURES)/export.json
	$(BIN)/python -m benchmarks.fleet --items 5000 --shard-items 100 --json $(FIGURES)/fleet.json

bench-objects: install ## Measure reading small objects: boto3 beside obstore (ENDPOINT=url BUCKET=name)
	$(BIN)/python -m benchmarks.objects $(if $(ENDPOINT),--endpoint $(ENDPOINT)) $(if $(BUCKET),--bucket $(BUCKET))

docs: install ## Regenerate the references of settings and commands, and the histograms
	$(BIN)/python -m config.reference > docs/settings.md
	$(BIN)/python -m cli.reference > docs/cli.md
	$(BIN)/python -m sample.difficulty > docs/sample-world.md

lock: ## Compile the lock files from pyproject.toml
	$(BIN)/uv pip compile pyproject.toml --all-extras --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements.lock
	$(BIN)/uv pip compile --group pyproject.toml:browser --constraints requirements.lock --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-browser.lock
	$(BIN)/uv pip compile --group pyproject.toml:readers --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-readers.lock
	$(BIN)/uv pip compile tests/golden/exports/requirements.in --universal --python-version 3.11 \
	  --generate-hashes --no-emit-index-url --no-header --quiet --output-file requirements-exports.lock

up: install ## Run everything on this machine, in the foreground
	$(BIN)/regatta up

clean: ## Remove what was built
	rm -rf $(VENV) build dist *.egg-info .coverage* .mypy_cache .pytest_cache .ruff_cache
