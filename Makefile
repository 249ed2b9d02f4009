# Everything here needs python3 (3.11 or newer, with pip) and make; the rest is fetched once, into .tools and .venv.
#
#   make run [ARGS="--market FILE --speed max --headless --exit-after 3 --audit a.jsonl"]
#   make test                      set everything up and pass every test
#   make check                     in about a minute: format, lint, types, imports, unit and contract tests that are
#                                  not slow, properties with a quarter of their examples (make test: with all)
#   make sim SEED=7 [OFF=name]     a world in virtual time, [COUNT=n] of them; OFF takes a safeguard away, and
#                                  make sim-safeguards names them; SCENARIO=name picks the class of worlds
#   make sim-safeguards DENSITY=1  how often each is missed, into docs/safeguards.md; goes on where it was stopped
#   make sim-soak [COUNT=20]       days of virtual time: nothing broken, no hour dearer, nothing grown; goes on likewise
#   make sim-long [COUNT=10000] [FIRST=1]  worlds of three minutes over all cores; stopped, it goes on where it was
#                                  (LONG=1 replays one of its seeds with make sim; HEIRS=1: several routers in each;
#                                  of make sim alone HOUSE=1: both markets in one process)
#   make sim-sweep [SEEDS=40]      S4 killed at every step of two short stories, or of so many drawn worlds; goes on likewise
#   make soak [KILLS=200]          real processes killed with -9 under load; KEEP=dir keeps audit, ledgers and logs
#   make docs-site                 the pages as a site, strictly and offline, into build/site
#   make bench | req | proof [ID=FL-1] | size | fmt | docs | clean

UV_VERSION := 0.13.8
PYTHON ?= python3
UV := .tools/bin/uv
BIN := .venv/bin
ARGS ?=
SEED ?= 1
FIRST ?= 1
SEEDS ?=
LONG ?=
HEIRS ?=
HOUSE ?=
COUNT ?= 1
OFF ?=
KILLS ?= 200
KEEP ?=
SCENARIO ?=
DENSITY ?=
ID ?=

export UV_PYTHON_DOWNLOADS := never
export PYTHONUNBUFFERED := 1
unexport VIRTUAL_ENV
unexport PYTHONDONTWRITEBYTECODE  # without its bytecode each process compiles everything again: seconds, times many

UV_READY := .tools/uv-$(UV_VERSION).dist-info
RUN_READY := .venv/.ready-run
DEV_READY := .venv/.ready-dev

.DEFAULT_GOAL := check
.PHONY: run test static check sim sim-safeguards sim-soak sim-sweep sim-long soak bench req proof size fmt docs docs-site sbom clean setup

run: $(RUN_READY)
	@exec $(BIN)/chimera up $(ARGS)

test: $(DEV_READY)
	@$(PYTHON) tools/machine.py redis-server chromium prometheus
	@exec $(BIN)/python -m pytest -n 3 --dist loadgroup --rows-gate --durations 40

static: $(DEV_READY)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy --no-error-summary src/chimera world tools proofs
	@$(BIN)/lint-imports --no-logo
	@NO_COLOR=1 $(BIN)/deptry src world

check: static
	@exec $(BIN)/python -m pytest -n 3 --dist loadfile -p no:schemathesis -m "not slow" --examples 25 tests/unit tests/contract

sim: $(RUN_READY)
	@exec $(BIN)/python tools/sim.py --seed $(SEED) --count $(COUNT) $(if $(LONG),--long) $(if $(HEIRS),--heirs) $(if $(HOUSE),--house) $(if $(OFF),--off $(OFF)) $(if $(SCENARIO),--scenario $(SCENARIO))

sim-safeguards: $(RUN_READY)
	@exec $(BIN)/python $(if $(DENSITY),tools/densities.py,tools/sim.py --safeguards)

sim-soak: $(RUN_READY)
	@exec $(BIN)/python tools/soaks.py $(if $(filter-out 1,$(COUNT)),--count $(COUNT))

sim-sweep: $(RUN_READY)
	@exec $(BIN)/python tools/sim.py --sweep $(if $(SEEDS),--seed $(FIRST) --seeds $(SEEDS))

sim-long: $(RUN_READY)
	@exec $(BIN)/python tools/sim.py --long $(if $(HEIRS),--heirs) --seed $(FIRST) --count $(if $(filter 1,$(COUNT)),10000,$(COUNT))

soak: $(DEV_READY)
	@exec $(BIN)/python tools/soak.py --kills $(KILLS) --seed $(SEED) $(if $(KEEP),--keep $(KEEP))

bench: $(DEV_READY)
	@exec $(BIN)/python tools/bench.py $(ARGS)

req: $(DEV_READY)
	@exec $(BIN)/python tools/req.py

proof: $(DEV_READY)
	@exec $(BIN)/python tools/proof.py $(ID)

size:
	@exec $(PYTHON) tools/size.py

fmt: $(DEV_READY)
	@$(BIN)/ruff check --fix --exit-zero --quiet .
	@$(BIN)/ruff format .

docs: $(DEV_READY)
	@$(BIN)/python tools/order_life.py
	@$(BIN)/python tools/settings_page.py
	@$(BIN)/python tools/metrics_page.py
	@$(BIN)/python tools/observability.py
	@$(BIN)/python tools/openapi.py
	@$(BIN)/python tools/security_page.py
	@$(BIN)/python tools/rule_schema.py
	@$(BIN)/python tools/faults_page.py
	@$(BIN)/python tools/incidents_page.py
	@$(BIN)/python tools/fault_matrix.py

sbom: $(DEV_READY)
	@$(BIN)/python tools/sbom.py

docs-site: $(DEV_READY)
	@$(BIN)/python -m properdocs build --strict

setup: $(DEV_READY)

# Positions live in .state; they are not ours to clean.
clean:
	@rm -rf .venv .tools .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache dist build
	@find src world tests tools proofs -name __pycache__ -type d -prune -exec rm -rf {} +

# --target needs neither a venv module nor root, and leaves a system-managed Python alone (PEP 668).
$(UV_READY):
	@PIP_USER=0 $(PYTHON) -m pip install --quiet --disable-pip-version-check --root-user-action ignore --upgrade --target .tools "uv==$(UV_VERSION)" >&2

# --inexact: setting up to run never removes what testing needs.
$(RUN_READY): uv.lock pyproject.toml $(UV_READY)
	@$(UV) sync --quiet --frozen --inexact --no-dev
	@touch $@

$(DEV_READY): uv.lock pyproject.toml $(UV_READY)
	@$(UV) sync --quiet --frozen --inexact
	@touch $@ $(RUN_READY)
