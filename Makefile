# Everything starts here: `make` lists what there is.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

PYTHON ?= $(shell command -v python3.11 || command -v python3)
export PATH := $(PATH):$(HOME)/.cargo/bin
export PYTHON

STEP := .ci/step
LIVE := V=1 .ci/step
BIN := .venv/bin
CARGO_TEST := cargo test --profile checks --locked --workspace --exclude ei-core
PYTEST := $(BIN)/pytest
SLOW_PYTEST := $(PYTEST) --reruns 1 -r fER
# What is soon done first; then one of cargo, which lets no second one build, beside one of Python.
CHECKS := check-rust-format check-python-format check-lint check-imports check-clippy \
    check-unit-tests check-rust-tests check-mypy check-basedpyright check-stubs
SLOW_TESTS := test-two-at-a-time test-alone
NATIVE_SOURCES := Cargo.toml Cargo.lock $(shell find rust -name '*.rs' -o -name Cargo.toml)

.PHONY: help demo build check previous test bench fuzz differential sanitize leftovers soak books
.PHONY: nightly others coverage fix clean
.PHONY: $(CHECKS) $(SLOW_TESTS)

help: ## List the targets
	@echo "The two commands: make demo, make test. All of them:"
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## (.*)/  \1\t\2/' | expand -t 14
	@echo "V=1 shows the output of each step as it comes."

demo: build ## Three domains, five nodes, eight hosts on this machine; under a minute after the build
	@$(LIVE) "demo" $(BIN)/ei demo

build: src/ei/_core.abi3.so ## Make .venv and the native part, in release mode

check: build .venv/.dev ## Format, lint, types, stubs, import contracts, unit tests
	@$(LIVE) "check" env V=$(V) $(MAKE) --jobs=2 --keep-going $(CHECKS)

test: check previous ## All tests: check, then the slow ones, the docs and the foreign programs
	@env V=$(V) $(MAKE) --jobs=1 --keep-going $(SLOW_TESTS)

previous: build .venv/.dev ## The version before this one, in build/previous: tests run both together
	@$(STEP) "the version before this one" $(BIN)/python -m tools.previous

bench: build .venv/.dev ## All figures, each beside its baseline; curves and table go into build/bench and the docs
	@$(LIVE) "bench" $(BIN)/ei bench --into build/bench || status=$$?; \
	mkdir -p docs/explanation/growth && cp build/bench/*.svg docs/explanation/growth/; \
	$(BIN)/python -m tools.bench_page build/bench/report.json; exit $${status:-0}

fuzz: build .venv/.dev ## Each fuzz target for FUZZ_SECONDS (60)
	@$(LIVE) "fuzz" fuzz/run $${FUZZ_SECONDS:-60}

differential: build .venv/.dev ## The native decision cache against its model on CASES packets (1,000,000)
	@$(LIVE) "differential" $(BIN)/python -m tests.native.stories $${CASES:-1000000}

sanitize: build .venv/.dev ## The native tests under sanitizers: crates and module for bounds, threads for races
	@$(LIVE) "sanitizers" .ci/sanitize

leftovers: build .venv/.dev ## 50 times: lab up, kill -9 of something at random, lab down; nothing may stay
	@$(STEP) "leftovers" $(BIN)/python -m ei.lab.leftovers

soak: build .venv/.dev ## A lab under load for SOAK_SECONDS (300): memory, files, threads, peers are what they were
	@$(LIVE) "soak" $(BIN)/python -m ei.lab.soak $${SOAK_SECONDS:-300} $${SOAK_SEED:-1} build/soak

books: build .venv/.dev ## A lab under random work and faults for BOOKS_SECONDS (600): every packet has one fate
	@$(LIVE) "books" $(BIN)/python -m ei.lab.books $${BOOKS_SECONDS:-600}

nightly: others test coverage leftovers soak books fuzz differential sanitize bench ## The long round
	@$(STEP) "property tests, 5,000 examples each" $(PYTEST) --hypothesis-profile=nightly --timeout=1800

others: ## Programs beside which scenarios measure ours: caches and their judge, brokers, WireGuard
	@$(STEP) "programs beside ours" .ci/ground others

coverage: build .venv/.dev ## Which lines no test runs
	@$(STEP) "coverage" $(PYTEST) --cov --cov-report=term --cov-report=html:build/coverage

fix: build .venv/.dev ## Format, apply safe fixes, write the generated pages again
	@$(STEP) "ruff format" $(BIN)/ruff format
	@$(STEP) "ruff fixes" $(BIN)/ruff check --fix
	@$(STEP) "cargo fmt" cargo fmt --all
	@$(STEP) "pages made from the code" $(BIN)/python -m tools.pages

clean: ## Remove all that was built, .venv included
	@$(STEP) "clean" rm -rf .venv target build dist src/ei/_core.abi3.so .mypy_cache .ruff_cache \
	    .pytest_cache .hypothesis .import_linter_cache .coverage

# -- the parts of check, two at a time; all are run, even when one fails ----------------------------

check-rust-format:
	@$(STEP) "rust format" cargo fmt --all --check

check-clippy:
	@$(STEP) "clippy" cargo clippy --profile checks --locked --workspace --all-targets -- -D warnings

check-rust-tests:
	@$(STEP) "rust tests" $(CARGO_TEST)

check-python-format:
	@$(STEP) "python format" $(BIN)/ruff format --check

check-lint:
	@$(STEP) "lint" $(BIN)/ruff check

check-imports:
	@$(STEP) "import contracts" $(BIN)/lint-imports

check-mypy:
	@$(STEP) "mypy" $(BIN)/mypy

check-basedpyright:
	@$(STEP) "basedpyright" $(BIN)/basedpyright

check-stubs:
	@$(STEP) "stubs of the native module" $(BIN)/stubtest ei._core

check-unit-tests:
	@$(STEP) "unit tests" $(PYTEST) -m "not slow"

# -- the parts of test; both are run, even when one fails --------------------------------------------

test-two-at-a-time:
	@$(STEP) "slow tests, docs, peers" $(SLOW_PYTEST) -m "slow and not alone" -n 2 --dist worksteal

test-alone:
	@$(STEP) "slow tests that measure" $(SLOW_PYTEST) -m alone

# -- what is made once, and again only when its sources changed -------------------------------------

.venv/.made:
	@$(STEP) "what we build on" .ci/ground run
	@$(STEP) "new .venv" $(PYTHON) -m venv .venv
	@touch $@

.venv/.run: pyproject.toml constraints.txt | .venv/.made
	@$(STEP) "the builder" $(BIN)/python -m pip install -q --disable-pip-version-check \
	    -c constraints.txt "pip>=25.1" maturin
	@touch $@

.venv/.dev: pyproject.toml constraints.txt .ci/ground | .venv/.run
	@$(STEP) "programs to test with" .ci/ground test
	@$(STEP) "python packages to test" $(BIN)/python -m pip install -q --disable-pip-version-check \
	    -c constraints.txt --group dev
	@touch $@

src/ei/_core.abi3.so: $(NATIVE_SOURCES) | .venv/.run
	@$(STEP) "native part and python packages (the first time a few minutes)" \
	    env PIP_CONSTRAINT=constraints.txt $(BIN)/maturin develop --release --locked --quiet
	@touch $@
