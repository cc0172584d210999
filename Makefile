# `make help` lists the targets. On a machine with git, make and Python 3.11 or newer,
# `make book` and `make test` each set up all that they need; the second run is quick.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2
PORT ?= 8000
# Versions that CI has seen working; `CONSTRAINTS=` (empty) takes the newest that the bounds allow.
CONSTRAINTS ?= constraints.txt
# Address of PyTorch's index of CPU builds, from PyTorch's own install page. Empty: the plain wheel.
TORCH_INDEX ?=
EXTRAS := book,cluster,dev,llm,test,torch

BIN := $(VENV)/bin
READY := $(VENV)/.ready
PAGE := _build/html/index.html
# One thread for each worker: two workers with two threads each are slower than one with one.
export OMP_NUM_THREADS ?= 1
export OPENBLAS_NUM_THREADS ?= $(OMP_NUM_THREADS)
export MKL_NUM_THREADS ?= $(OMP_NUM_THREADS)

find_sources = $(shell find src book results scripts/book_*.py scripts/build_book.py _config.yml _toc.yml CITATION.cff pyproject.toml constraints.txt \
	-type f -not -name '*.py[cod]' -not -path '*/.*' 2>/dev/null | LC_ALL=C sort)
SOURCES := $(find_sources)
NOTEBOOKS = $(shell find book -name '*.ipynb' -not -path '*/.*' | LC_ALL=C sort)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: env
env: $(READY) ## make the environment in .venv (remove .venv to change PYTHON)

$(READY): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "$(PYTHON) is not Python 3.11 or newer: say 'make PYTHON=python3.13', say" >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check --quiet \
		$(addprefix --constraint ,$(CONSTRAINTS)) $(addprefix --extra-index-url ,$(TORCH_INDEX)) \
		--editable '.[$(EXTRAS)]'
	touch $@

.PHONY: book
book: _build/.book ## execute the chapters and build the site, strictly
	@echo "The book is at $(CURDIR)/$(PAGE)"

# Written only when a source comes or goes, which file times do not show.
_build/.sources: FORCE
	@mkdir -p _build
	@printf '%s\n' $(SOURCES) | cmp -s - $@ || printf '%s\n' $(SOURCES) > $@

# The fingerprint of all that a notebook depends on beside its own cells, data sets included. The
# script drops the notebooks' outputs and writes the file when it changes, and only then.
_build/.notebook-inputs.sha256: $(READY) FORCE
	@$(BIN)/python scripts/notebook_cache.py

# A page that Sphinx does not read again warns of nothing: start from no pages, keep the outputs
# of the notebooks that did not change.
# The file's time is that of the start: a page that is edited meanwhile is newer.
_build/.book: $(READY) $(SOURCES) _build/.sources _build/.notebook-inputs.sha256
	@touch _build/.started
	rm -rf _build/html _build/.doctrees
	$(BIN)/python scripts/build_book.py . -W -n --keep-going
	@mv _build/.started $@

.PHONY: test
test: book ## build the site, then run every test and every notebook
	$(BIN)/python -m pytest -n $(JOBS) --dist worksteal $(PYTEST_ARGS)
	$(BIN)/python -m pytest --nbval-lax --nbval-cell-timeout=120 --dist loadfile -n $(JOBS) $(NOTEBOOKS)

.PHONY: serve
serve: book ## open the built site on localhost (PORT=8000)
	@echo "http://localhost:$(PORT)/ (Ctrl-C ends it)"
	@$(BIN)/python -m http.server $(PORT) --bind 127.0.0.1 --directory _build/html

.PHONY: bench
bench: $(READY) ## measure speed and memory as ratios against the usual way
	@for script in benchmarks/bench_*.py; do $(BIN)/python $$script || failed=1; done; test -z "$${failed:-}"

.PHONY: results
results: $(READY) ## say which archived full-scale tables are there, missing or stale
	@$(BIN)/fragile-learning results

.PHONY: results-missing
results-missing: $(READY) ## compute the full-scale tables that are missing or of another configuration
	$(BIN)/fragile-learning results --run-missing

.PHONY: results-confirm
results-confirm: $(READY) ## compare tables of earlier code with points computed now (half an hour)
	$(BIN)/fragile-learning results --confirm

.PHONY: claims
claims: $(READY) ## judge all claims anew, quick tables computed now; fail if a verdict changed
	$(BIN)/fragile-learning claims --workers $(JOBS)

.PHONY: golden
golden: book ## compare every number of the built book with the archived ones
	@$(BIN)/python scripts/golden.py

.PHONY: golden-accept
golden-accept: book ## print what changed in the book's numbers, and archive them
	@$(BIN)/python scripts/golden.py --accept

.PHONY: lint
lint: $(READY) ## style, types, the rules between modules, the workflows
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --quiet .github
	$(BIN)/python scripts/identity.py --check

.PHONY: format
format: $(READY) ## put the sources into the house's format
	$(BIN)/ruff check --fix-only --quiet .
	$(BIN)/ruff format .

.PHONY: pair
pair: $(READY) ## write the chapters' .ipynb twins from their .md
	$(BIN)/python scripts/pair.py

.PHONY: identity
identity: $(READY) ## carry the repository's owner, name and branch from pyproject.toml everywhere
	$(BIN)/python scripts/identity.py --write

.PHONY: pins
pins: $(READY) ## write constraints.txt from the environment
	$(BIN)/python scripts/pins.py

.PHONY: next
next: $(READY) ## build the same sources with the newest Sphinx, without Jupyter Book
	$(BIN)/python scripts/next_sphinx.py

.PHONY: linkcheck
linkcheck: $(READY) ## try every outside link of the book (needs the internet)
	$(BIN)/jupyter-book build . --builder linkcheck

.PHONY: clean
clean: ## remove what was built, points of unfinished sweeps too; the environment stays
	rm -rf _build dist .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis

.PHONY: FORCE
FORCE:
