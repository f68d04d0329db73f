# One stamp says that .venv is as the lock wants it; everything else depends on it.
STAMP := .venv/.ready
SPARK := .venv/.ready-spark
BIN := .venv/bin
DEMO ?= demo

.PHONY: help setup demo test test-spark test-cluster test-browser check lab bench docs lock clean
.DEFAULT_GOAL := help

help: ## show this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 12

setup: $(STAMP) ## prepare .venv, with the `cdp` command in it

$(STAMP): requirements.lock pyproject.toml Makefile tools/setup.sh
	@bash tools/setup.sh
	@touch $@

demo: $(STAMP) ## make the demo workspace and run the whole line through the notebooks
	@test -f $(DEMO)/cdp.yaml || $(BIN)/cdp init $(DEMO) --demo
	@$(BIN)/cdp --workspace $(DEMO) run

$(SPARK): $(STAMP) requirements-spark.lock
	@bash tools/setup.sh requirements-spark.lock
	@touch $@

# The modules of the engine spark have no examples to run, and pyspark, once it is installed, ends a worker that imports it.
test: $(STAMP) ## run all tests that need no cluster
	$(BIN)/pytest --numprocesses=auto --dist=worksteal --quiet -m "not spark and not browser" \
		--ignore-glob='*/engines/spark*.py'

# What Sail is held to. In one process: in a worker of pytest-xdist the main
# module has neither a file nor a spec, and pyspark takes that for a doctest of its own and looks for a whole Spark.
SPARK_TESTS ?= tests/engines tests/line/test_engines.py tests/lake tests/identity/test_graph.py tests/segments/test_meaning.py tests/segments/test_chains.py

test-spark: $(SPARK) ## run the tests of the engine spark, on Sail
	$(BIN)/pytest --quiet -m spark $(SPARK_TESTS)

# Spark itself, which needs Java 17; only the jars of the wheel are used, so it stands apart from the client in .venv.
CLUSTER := .spark/.ready

$(CLUSTER): $(SPARK)
	$(BIN)/python -m pip install --quiet --no-deps --target .spark pyspark==$$($(BIN)/python -c 'import pyspark; print(pyspark.__version__)')
	@touch $@

test-cluster: $(CLUSTER) ## run the line on Spark with two workers, one of which is killed (Java 17; ten minutes)
	$(BIN)/pytest --quiet -m spark tests/line/test_cluster.py

# Screenshots are kept in build/screenshots, or where CDP_SCREENSHOTS says.
test-browser: $(STAMP) ## run the notebooks in a JupyterLab, in Chromium
	$(BIN)/pytest --quiet -m browser tests/browser

check: $(STAMP) ## format, lint, types, import contracts, docstrings, dead code
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports
	git ls-files 'cdp_toolkit/*.py' | xargs $(BIN)/numpydoc lint
	$(BIN)/vulture

lab: $(STAMP) ## open JupyterLab on the notebooks
	$(BIN)/cdp lab

bench: $(STAMP) ## measure each stage beside its bare limit on PERSONS people, and compare ratios with the kept ones
	$(BIN)/python benchmarks/line.py --persons $(or $(PERSONS),10000 100000) $(if $(wildcard benchmarks/kept.json),--check,--keep)

docs: $(STAMP) ## write the pages that are made from the code
	$(BIN)/typer cdp_toolkit.cli utils docs --name cdp --title Commands --output docs/commands.md

COMPILE := UV_NO_CONFIG=1 $(BIN)/uv pip compile pyproject.toml --group dev --universal --python-version 3.11 \
	--generate-hashes --no-header --no-annotate --quiet

# Keeps what is locked and still fits; delete the file first to take the newest of everything.
lock: $(STAMP) ## pin the dependencies of pyproject.toml again
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --extra spark --constraint requirements.lock --output-file requirements-spark.lock \
		$$(sed -n 's/^\([A-Za-z0-9._-]*\)==.*/--no-emit-package \1/p' requirements.lock | sort -u)

clean: ## remove everything that can be made again
	rm -rf .venv .spark .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache dist $(DEMO)
