# Two commands do everything on a fresh machine: `make demo` and `make test`. Each may be run again.
PYTHON ?= python3
VENV ?= .venv
LEGACY_VENV ?= .venv-legacy
OLDEST_VENV ?= .venv-oldest
# A built wheel of mmcv 2.1.0 for the original distributions; built from source (20 minutes) where there is none.
MMCV_WHEEL ?= $(firstword $(wildcard ../shared/wheels/mmcv-2.1.0-*.whl))
BIN := $(VENV)/bin
LEGACY_BIN := $(LEGACY_VENV)/bin
OLDEST_BIN := $(OLDEST_VENV)/bin
PIP_FLAGS := --quiet --disable-pip-version-check

.PHONY: help setup demo test lint docs bench bench-studies test-optimized test-oldest test-legacy clean
.DEFAULT_GOAL := help

help:  ## List the commands
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "make %-12s %s\n", $$1, $$2}'

setup: $(VENV)/.ready  ## Make the virtual environment .venv

$(VENV)/.ready: requirements/runtime.txt requirements/crf.txt requirements/docs.txt requirements/dev.txt setup.py
	@echo '[setup] virtual environment in $(VENV)'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo '[setup] torch (on its own first, so that its CPU build is kept)'
	@$(BIN)/pip install $(PIP_FLAGS) "$$(grep '^torch==' requirements/runtime.txt)"
	@echo '[setup] OpenMMLab and the rest, at the tested versions'
	@$(BIN)/pip install $(PIP_FLAGS) setuptools wheel -r requirements/dev.txt
	@$(BIN)/pip install $(PIP_FLAGS) --no-build-isolation --no-deps -e .
	@# Tests compare with it; what it depends on would replace torch.
	@$(BIN)/pip install $(PIP_FLAGS) --no-deps open-clip-torch==3.3.0
	@touch $@

demo: setup  ## Labels to segmenter on generated data, with a report
	@OMP_NUM_THREADS=$${OMP_NUM_THREADS:-2} $(BIN)/python tools/demo.py --work-dir work_dirs/demo

lint: setup  ## Check style and types
	@echo '[test] ruff'
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@echo '[test] mypy'
	@$(BIN)/mypy

test: lint  ## Lint and run all tests
	@echo '[test] pytest'
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

docs: setup  ## Build the documentation as a site, without warnings
	@NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict
	@echo '[docs] open work_dirs/site/index.html, or serve it: python -m http.server -d work_dirs/site'

bench: setup  ## Run all benchmarks (about half an hour; leave the machine alone)
	@$(BIN)/python benchmarks/run_all.py
	@$(BIN)/python .dev/benchmark_table.py

bench-studies: setup  ## Run the pipelines whose scores are in results/ (days)
	@$(BIN)/python benchmarks/run_all.py --studies

test-optimized: setup  ## Run all tests with python -O: no check may depend on an assert
	@OMP_NUM_THREADS=1 PYTHONOPTIMIZE=1 $(BIN)/python -m pytest -q -n 2 --dist loadfile

$(OLDEST_VENV)/.ready: requirements/oldest.txt setup.py
	@echo '[setup] the oldest allowed versions in $(OLDEST_VENV)'
	@test -x $(OLDEST_BIN)/python || $(PYTHON) -m venv $(OLDEST_VENV)
	@$(OLDEST_BIN)/pip install $(PIP_FLAGS) "$$(grep '^torch==' requirements/oldest.txt)"
	@$(OLDEST_BIN)/pip install $(PIP_FLAGS) 'setuptools<80' wheel -r requirements/oldest.txt
	@$(OLDEST_BIN)/pip install $(PIP_FLAGS) --no-build-isolation --no-deps -e .
	@touch $@

test-oldest: $(OLDEST_VENV)/.ready  ## Run all tests on the oldest allowed versions
	@OMP_NUM_THREADS=1 $(OLDEST_BIN)/python -m pytest -q -n 2 --dist loadfile

$(LEGACY_VENV)/.ready: requirements/legacy.txt setup.py
	@echo '[setup] the original OpenMMLab distributions in $(LEGACY_VENV)'
	@test -x $(LEGACY_BIN)/python || $(PYTHON) -m venv $(LEGACY_VENV)
	@$(LEGACY_BIN)/pip install $(PIP_FLAGS) "$$(grep '^torch==' requirements/legacy.txt)"
	@$(LEGACY_BIN)/pip install $(PIP_FLAGS) setuptools wheel -r requirements/legacy.txt
	@if [ -n '$(MMCV_WHEEL)' ]; then $(LEGACY_BIN)/pip install $(PIP_FLAGS) '$(MMCV_WHEEL)'; else \
	  echo '[setup] building mmcv 2.1.0 from source, about 20 minutes'; \
	  MMCV_WITH_OPS=1 $(LEGACY_BIN)/pip install $(PIP_FLAGS) --no-build-isolation --no-binary mmcv mmcv==2.1.0; fi
	@$(LEGACY_BIN)/pip install $(PIP_FLAGS) --no-build-isolation --no-deps -e .
	@touch $@

test-legacy: $(LEGACY_VENV)/.ready  ## Run all tests on the original mmengine, mmcv and mmsegmentation
	@OMP_NUM_THREADS=1 $(LEGACY_BIN)/python -m pytest -q -n 2 --dist loadfile

clean:  ## Remove the environments and the demo's output
	rm -rf $(VENV) $(LEGACY_VENV) $(OLDEST_VENV) work_dirs/demo work_dirs/site
