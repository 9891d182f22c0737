# Two commands do everything: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3.11
EXTRAS ?= dev,train
BIN := .venv/bin
comma := ,
SETUP := .venv/.setup-$(subst $(comma),-,$(EXTRAS))

.PHONY: setup demo test lint check-types tests test-slow test-engines benchmark nuscenes-json clean

setup: $(SETUP)

# torch comes first, so that no dependency draws another build of it in.
$(SETUP): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[$(EXTRAS)]'
	$(BIN)/python -m impromptu.torch_cpu
	touch $@

demo: setup
	$(BIN)/impromptu demo --train train/Qwen2_5-VL/tiny_cpu.yaml

test: lint check-types tests

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

check-types: setup
	$(BIN)/mypy

# Two at a time, so each keeps to one thread.
tests: setup
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

# What takes longer: training, killing and resuming, large inputs. One after the other, as each
# takes all cores.
test-slow: setup
	$(BIN)/python -m pytest -m slow

# vLLM and sglang themselves, on a CPU, each in an environment of its own (3.5 GB each); and two
# steps of every training run.
test-engines: setup .venv-vllm/.setup .venv-sglang/.setup
	$(BIN)/python -m pytest tests/real_engines tests/train/test_every_run.py

.venv-%/.setup: tests/real_engines/%.txt pyproject.toml
	$(PYTHON) -m venv .venv-$*
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check torch==2.13.0
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	.venv-$*/bin/python -m pip install --quiet --disable-pip-version-check --editable .
	if [ $* = sglang ]; then .venv-$*/bin/python -m pip install --quiet --no-deps sglang==0.5.22; fi
	.venv-$*/bin/python -m pip uninstall --quiet --yes torchcodec
	.venv-$*/bin/python -m impromptu.torch_cpu
	touch $@

benchmark: setup
	$(BIN)/python benchmarks/generation.py
	$(BIN)/python benchmarks/scoring.py
	$(BIN)/python benchmarks/audit.py
	$(BIN)/python benchmarks/preflight.py
	$(BIN)/python benchmarks/curation.py
	$(BIN)/python benchmarks/annotate.py

# The planning samples at the root: of the miniature, or `make nuscenes-json DATA_RAW=data_raw`.
DATA_RAW ?= build/miniature
nuscenes-json: setup
	$(BIN)/impromptu nuscenes-json --data_raw $(DATA_RAW)

clean:
	rm -rf .venv .venv-vllm .venv-sglang build dist saves
