# The verbs of a day. VENV may name another folder; uv is used where it is on the PATH, else pip.
VENV ?= .venv
PYTHON ?= python3
BIN = $(VENV)/bin
INSTALL = $(shell command -v uv >/dev/null 2>&1 && echo "uv pip install --python $(BIN)/python" || echo "$(BIN)/python -m pip install")
FITS = import sys; v = sys.version_info; sys.exit(None if (3, 11) <= v[:2] <= (3, 13) else \
	"$(PYTHON) is Python %d.%d; haetae needs 3.11 to 3.13. Name one: make demo PYTHON=python3.12" % v[:2])

LOCK = -q --universal --python-version 3.11 --no-header --no-emit-index-url --no-emit-find-links --no-annotate \
	--generate-hashes --exclude-newer "7 days"

# torch has another wheel for each accelerator, all of them large: pinned by version, in a step of its own.
TORCH = torch==2.13.0

.PHONY: demo stack test torch coverage check lint types contracts bench ordeal nights simulate docs audit lock clean

demo: $(VENV)/.demo  ## play a month of nightly runs, then serve the dashboard
	$(BIN)/haetae demo

stack: $(VENV)/.demo  ## all of deploy/compose.yaml as processes on loopback, one scheduled night, and down again; KEEP=1 leaves it up
	$(BIN)/python deploy/stack.py $(if $(KEEP),--keep)

test: $(VENV)/.test  ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

torch: $(VENV)/.test  ## what perplexity of a local model needs; without it its tests are skipped outside CI
	$(INSTALL) -q $(TORCH)

coverage: $(VENV)/.test  ## all tests, and which lines and branches they reach
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -n 2 --dist loadfile
	$(BIN)/coverage combine -q
	$(BIN)/coverage report --skip-covered --skip-empty | tail -60

check: torch lint types contracts test  ## what CI checks

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy -p haetae
	@# flows/ and dashboards/ are installed inside the package: check them where they will be
	@house=$$(mktemp -d) && mkdir $$house/haetae && ln -s $(CURDIR)/platform/haetae/* $(CURDIR)/dashboards $(CURDIR)/flows $$house/haetae/ \
		&& cd $$house && $(abspath $(BIN))/mypy --config-file $(CURDIR)/pyproject.toml -p haetae.dashboards -p haetae.flows; \
		status=$$?; rm -rf $$house; exit $$status

contracts: $(VENV)/.test
	$(BIN)/lint-imports

bench: torch  ## speed as ratios in one run: TOOLS=FOLDER has the mock endpoint, RIVALS=FOLDER takes the environments of other tools
	$(BIN)/python tests/bench/bench.py $(if $(TOOLS),--tools $(TOOLS)) $(if $(RIVALS),--rivals $(RIVALS))
	$(BIN)/python tests/bench/ledger_bench.py $(if $(POSTGRES),--postgres $(POSTGRES))
	$(BIN)/python tests/bench/scale_bench.py $(if $(TOOLS),--tools $(TOOLS)) $(if $(POSTGRES),--postgres $(POSTGRES))
	$(BIN)/python tests/bench/dataset_bench.py
	$(BIN)/python tests/bench/text_bench.py
	$(BIN)/python tests/bench/perplexity_bench.py $(if $(LM_EVAL),--lm-eval $(LM_EVAL))

ordeal: $(VENV)/.test  ## faults (TOOLS=FOLDER as above), rates, kills, many writers, a prune and, as root, a full disk: counted
	$(BIN)/python tests/bench/faults_bench.py $(if $(TOOLS),--tools $(TOOLS))
	$(BIN)/python tests/bench/limits_bench.py
	$(BIN)/python tests/bench/kill_bench.py
	$(BIN)/python tests/bench/writers_bench.py
	$(BIN)/python tests/bench/prune_bench.py
	if [ "$$(id -u)" = 0 ]; then unshare --mount $(BIN)/python tests/bench/full_disk_bench.py; fi

nights: $(VENV)/.test  ## suites due every minute on a real Prefect server for MINUTES, its worker and the server killed: counted
	$(BIN)/python tests/bench/schedule_bench.py --minutes $(or $(MINUTES),15)

simulate: $(VENV)/.test  ## error rates and power of the verdicts, beside other rules and packages
	$(BIN)/python tests/bench/simulate.py $(if $(RIVALS),--rivals $(RIVALS))
	$(if $(DATA),$(BIN)/python tests/bench/real_data.py $(DATA))

docs: $(VENV)/.test  ## the examples in the README, run
	$(BIN)/python -m pytest tests/docs

audit: $(VENV)/.test  ## known advisories of the pinned packages; fails when the service cannot be asked
	$(BIN)/python -m pip_audit --strict --no-deps --disable-pip -r deploy/constraints.txt

lock:  ## pin again: the newest releases that are at least seven days old (needs uv)
	uv pip compile $(LOCK) --extra all --extra nemo --extra test --extra lint pyproject.toml -o deploy/constraints-dev.txt
	uv pip compile $(LOCK) --extra all -c deploy/constraints-dev.txt pyproject.toml -o deploy/constraints.txt

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

$(BIN)/python:
	@$(PYTHON) -c '$(FITS)'
	@if command -v uv >/dev/null 2>&1; then uv venv -q --seed --python $(PYTHON) $(VENV); else $(PYTHON) -m venv $(VENV); fi

# Every package is pinned by version and hash; the checkout itself is installed without looking further.
$(VENV)/.demo: $(BIN)/python pyproject.toml deploy/constraints.txt
	@echo "Installing $$(grep -c '^[^ ]*==' deploy/constraints.txt) packages into $(VENV), once: about a minute with uv, several with pip."
	$(INSTALL) -q --require-hashes --no-deps -r deploy/constraints.txt
	$(INSTALL) -q --no-deps -e .
	@touch $@

$(VENV)/.test: $(BIN)/python pyproject.toml deploy/constraints-dev.txt
	@echo "Installing $$(grep -c '^[^ ]*==' deploy/constraints-dev.txt) packages into $(VENV), once: about a minute with uv, several with pip."
	$(INSTALL) -q --require-hashes --no-deps -r deploy/constraints-dev.txt
	$(INSTALL) -q --no-deps -e .
	@touch $@ $(VENV)/.demo
