# Every target makes the environment it needs, in .venv/.
# On a machine with another torch: make demo TORCH=torch EXTRAS=cuda,dev
TORCH  ?= torch==2.13.0
EXTRAS ?= cpu,dev
PYTHON ?= python3
TESTS  ?= tests
# One process a core; a file's tests stay together as far as the load allows.
WORKERS ?= auto
# Percent of the lines of the packages that tests must come by.
COVERED ?= 95

BIN   := .venv/bin
READY := .venv/.ready

.DEFAULT_GOAL := help
.PHONY: help demo test slow mutants coverage lint types docs benchmark gpu-check clean

help:  ## show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(READY)  ## adapt a denoiser to a folder of noisy cubes, made of embedded scenes (about 3 minutes on 2 cores)
	$(BIN)/python -m experiments demo

test: $(READY)  ## run the tests (about 12 minutes on 2 cores; TESTS=tests/experiments for a part)
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal $(TESTS)

slow: $(READY)  ## run the tests that take long: 5,000 damaged files a format, kill -9 at 20 moments, ablations
	$(BIN)/python -m pytest --override-ini=addopts=--import-mode=importlib --benchmark-skip -m slow $(TESTS)

mutants: $(READY)  ## mutation testing of the numerical core (about 40 minutes on one core)
	$(BIN)/python tests/mutation/mutants.py

coverage: $(READY)  ## run the tests and count the lines they come by, of errors too: fails below 95 % (COVERED=0: never)
	rm -rf build/coverage && mkdir -p build/coverage
	$(BIN)/python -m coverage run -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal $(TESTS)
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=$(COVERED)

lint: $(READY)  ## check style and format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(READY)  ## check types
	$(BIN)/mypy --strict

docs: $(READY)  ## build the documentation into build/docs
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet --site-dir build/docs

benchmark: $(READY)  ## measure the speed of the heavy parts
	$(BIN)/python -m pytest --override-ini=addopts=--import-mode=importlib --override-ini=log_cli=true --log-cli-level=INFO --benchmark-only $(TESTS)

gpu-check: $(READY)  ## run and time every part on a GPU, into results/gpu_check (EXTRAS=cuda,dev TORCH=torch)
	$(BIN)/python -m experiments gpu-check --output results/gpu_check

clean:  ## remove the environment, caches and builds (runs/ and results/ stay)
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .benchmarks
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# torch and the project in one command: installed one after the other, torchvision would exchange the torch just chosen.
$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@echo "Installing into .venv (about 2 GB, a few minutes the first time)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)" --editable ".[$(EXTRAS)]"
	touch $(READY)
