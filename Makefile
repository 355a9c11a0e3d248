# Everything a developer or a CI machine does. `make` alone says what there is.

VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
# For instance: make setup PIP_ARGS="--extra-index-url <the CPU wheels of torch>", where there is no GPU.
PIP_ARGS ?=
# Sources that tools look at; benchmarks, examples and docs come and go with the features they belong to.
CODE := src tests tools $(wildcard benchmarks examples docs)

# One thread a process: two test workers with two threads each fight over two cores, and floating-point sums, so golden
# values, depend on the number of threads.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export MKL_NUM_THREADS := 1

.DEFAULT_GOAL := help
.PHONY: help setup demo fmt check test nightly docs bench clean

help: ## say what there is
	@grep -E '^[a-z]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 12

# The stamp is newer than what it was made from as long as nothing has to be installed.
setup: $(VENV)/.installed ## make the virtual environment and install Limbeck into it
$(VENV)/.installed: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e '.[dev,vision]'
	touch $@

# The demo may use every core: it trains, it does not compare bits.
demo: setup ## distil a small student on this machine and write its report to runs/demo
	env -u OMP_NUM_THREADS -u OPENBLAS_NUM_THREADS -u MKL_NUM_THREADS $(BIN)/limbeck demo --out runs/demo

fmt: setup ## format the code
	$(BIN)/ruff format $(CODE)
	$(BIN)/ruff check --fix-only --quiet $(CODE)

check: setup ## format, lint, types, docstrings, layers
	$(BIN)/ruff format --check $(CODE)
	$(BIN)/ruff check $(CODE)
	$(BIN)/mypy
	$(BIN)/python tools/docstrings.py src/limbeck
	$(BIN)/lint-imports

# Stealing hands out the tests of a file together, so that what they share (a whole run, a study) is made once, not twice.
test: check ## check, then every test
	$(BIN)/python -m pytest -n 2 --dist worksteal

nightly: setup ## the longer proofs
	$(BIN)/python -m pytest --nightly

docs: setup ## write the generated pages of docs/ again
	$(BIN)/python tools/docs.py

bench: setup ## the figures in docs/, measured on this machine
	@for script in $(sort $(wildcard benchmarks/[a-z]*.py)); do echo "== $$script"; $(BIN)/python $$script || exit 1; done

clean: ## remove what was made, the runs excepted
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
