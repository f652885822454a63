# Two commands matter: `make demo` and `make test`. Both do their own set-up.
VENV ?= .venv
BIN := $(VENV)/bin
export VENV
# Hundreds of tests start a process of their own: none of them compiles the package anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help demo test lint soak bench-events bench-pages bench-serving bench-forecast bench-backfill bench-replay lock clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 16

demo:  ## real Prometheus, forecast, answer; TRACE=FILE.csv.gz ZONE=Europe/Paris ONCE=1
	@scripts/setup.sh runtime
	@$(BIN)/prescaler demo $(if $(TRACE),--trace $(TRACE)) $(if $(ZONE),--timezone $(ZONE)) $(if $(ONCE),--once)
	@$(if $(ONCE),$(BIN)/python scripts/recompute_answer.py .demo)

test: lint  ## everything: ruff, mypy, import-linter, tests on real servers
	@$(BIN)/pytest -n 2 --dist loadgroup --cov --cov-report=
	@$(BIN)/python scripts/coverage_report.py

lint:
	@scripts/setup.sh dev
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo

soak:  ## long fault runs: servers and backfills killed (about 25 minutes)
	@scripts/setup.sh dev
	@$(BIN)/pytest -m soak -s -p no:randomly --timeout 1800 tests/soak

bench-serving:  ## the metric endpoint beside a bare ASGI application
	@scripts/setup.sh dev
	@PYTHONPATH=. $(BIN)/python bench/serving.py

bench-pages:  ## the review pages in Chromium, and what they cost KEDA; TRACE=FILE.csv.gz
	@scripts/setup.sh dev
	@PYTHONPATH=. $(BIN)/python bench/pages.py $(if $(TRACE),--trace $(TRACE))

bench-events:  ## planned evenings forecast the day before; TRACE=FILE EVENTS=FILE ZONE= COUNTRY= OUT=bench-out
	@test -n "$(TRACE)" -a -n "$(EVENTS)" || { echo "TRACE=FILE.csv.gz and EVENTS=FILE.csv are missing: columns timestamp,value and name,kind,start,end"; exit 2; }
	@scripts/setup.sh dev
	@PYTHONPATH=. $(BIN)/python bench/evenings.py $(TRACE) $(EVENTS) $(if $(ZONE),--timezone $(ZONE)) $(if $(COUNTRY),--country $(COUNTRY)) --out $(or $(OUT),bench-out)
	@PYTHONPATH=. $(BIN)/python bench/ready_by_kickoff.py

bench-forecast:  ## accuracy beside peers, leave-one-out, cost; TRACES=DIR OUT=bench-out
	@test -n "$(TRACES)" || { echo "TRACES=DIR is missing: a trace is a file NAME.csv.gz with the columns timestamp,value, one real series of demand each"; exit 2; }
	@scripts/setup.sh dev
	@scripts/setup_peers.sh
	@PYTHONPATH=. $(BIN)/python bench/forecast.py $(TRACES) --out $(or $(OUT),bench-out) --peers
	@PYTHONPATH=. $(BIN)/python bench/leave_one_out.py $(TRACES) --out $(or $(OUT),bench-out)
	@PYTHONPATH=. $(BIN)/python bench/forecast_cost.py --peers --out $(or $(OUT),bench-out)
	@PYTHONPATH=. $(BIN)/python bench/plan_coverage.py $(TRACES) --out $(or $(OUT),bench-out)
	@PYTHONPATH=. $(BIN)/python bench/days_off.py $(TRACES)
	@PYTHONPATH=. $(BIN)/python bench/jumps.py
	@PYTHONPATH=. $(BIN)/python bench/by_the_clock.py

bench-backfill:  ## speed beside a bare client, bytes, reads, where the time goes; TRACES=DIR
	@scripts/setup.sh dev
	@PYTHONPATH=. $(BIN)/python bench/backfill.py $(TRACES)

bench-replay:  ## every arm on every 1-minute trace, and stress scenarios; TRACES=DIR OUT=bench-out ONLY=traces TRACE=wc98_web
	@test -n "$(TRACES)" || { echo "TRACES=DIR is missing: a trace is a file NAME.csv.gz with the columns timestamp,value, one real series of demand each"; exit 2; }
	@scripts/setup.sh dev
	@PYTHONPATH=. $(BIN)/python bench/replay.py $(TRACES) --out $(or $(OUT),bench-out) $(if $(ONLY),--only $(ONLY)) $(if $(TRACE),--trace $(TRACE))

lock:  ## write the locked requirements anew (names and hashes, no addresses)
	@$(BIN)/uv pip compile -q --universal --no-strip-extras --generate-hashes --no-header requirements/build.in -o requirements/build.txt
	@$(BIN)/uv pip compile -q --universal --no-strip-extras --generate-hashes --no-header requirements/charts.in -o requirements/charts.txt
	@$(BIN)/uv pip compile -q --universal --no-strip-extras --generate-hashes --no-header pyproject.toml -o requirements/runtime.txt
	@$(BIN)/uv pip compile -q --universal --no-strip-extras --generate-hashes --no-header --extra dev -c requirements/runtime.txt pyproject.toml -o requirements/dev.txt
	@$(BIN)/uv pip compile -q --universal --no-strip-extras --generate-hashes --no-header --python-version 3.11 requirements/peers.in -o requirements/peers.txt

clean:  ## remove what was built or installed here
	rm -rf $(VENV) .venv-peers .demo .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .coverage* dist prescaler/apps/pages/static/vendor
