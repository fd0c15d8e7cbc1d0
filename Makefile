# `make demo` and `make test` need nothing but Python 3.11+ (with venv) and make; all else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready

.PHONY: help demo test test-long check lint types audit train economy faults failover hosts real-model overload bench bench-short growth schema lock clean
help:
	@echo "make demo    install what is needed and play a conversation through the whole service"
	@echo "make test    install what is needed and run the tests, but for those that make test-long runs"
	@echo "make test-long  tests of minutes: injected faults, a full disk, a rolling restart, a failover, small benchmarks"
	@echo "make check   lint + types + audit + test + test-long"
	@echo "make audit   look for known vulnerabilities of what is locked (where they can be asked for) and for secrets"
	@echo "make train   learn intent and complexity from labelled lines, and of your own (LINES=file.tsv, SEED=), some minutes"
	@echo "make economy replay three days of a shop: cache hits, cost, wrong answers, about 15 minutes (SEED=, MESSAGES=, CATALOG=)"
	@echo "make faults  break the service in every way and check that nothing is lost (SEED=, ONLY=, SHORT=1)"
	@echo "make failover  let Redis, PostgreSQL and RabbitMQ die under load, and another take over, 20 minutes (SEED=, ONLY=, SHORT=1)"
	@echo "make hosts   several hosts, which are network namespaces: one at a time is cut off, slowed or killed, 11 minutes (root, gcc)"
	@echo "make real-model  a real, small language model on this machine behind the whole service, about 10 minutes (Linux, gcc, cmake)"
	@echo "make overload 100,000 messages within 10 s: all are answered, memory and queues stay bounded (MESSAGES=, SEED=)"
	@echo "make bench   throughput, latency and cost beside an empty Celery chain, 10 minutes (SEED=); bench-short: 2"
	@echo "make growth  the same service on a growing database, over 100,000 messages, with 1 to 4 processes (SEED=)"
	@echo "make schema  renew db/schema.txt, which shows the schema that the migrations give"
	@echo "make lock    renew the lock files (needs uv)"
	@echo "make clean   remove .venv, .chasqui and build"

$(READY): pyproject.toml requirements-dev.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Chasqui needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)")'
	$(PYTHON) -m venv --clear .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

demo: $(READY)
	@exec $(BIN)/chasqui demo

# Each test of the whole service starts five processes or more: where the environment forbids Python to keep what it has
# compiled, all of them would compile every module anew.
test test-long: export PYTHONDONTWRITEBYTECODE :=
# More processes than two cores have, as many tests wait; a file stays in one of them, and the long ones come first
# (tests/conftest.py).
PARALLEL := -n 4 --dist loadfile --no-loadscope-reorder
test: $(READY)
	@exec $(BIN)/pytest $(PARALLEL) -m "not long and not hosts"

test-long: $(READY)
	@exec $(BIN)/pytest $(PARALLEL) -m long

hosts: $(READY)
	@exec $(BIN)/pytest -m hosts -rP

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@PYTHONPATH=tests exec $(BIN)/python -m dead_code

types: $(READY)
	$(BIN)/mypy

audit: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m audit

check: lint types audit test test-long

train: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m training $(if $(LINES),--lines "$(LINES)") $(if $(SEED),--seed $(SEED))

economy: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m bench.economy --seed $(or $(SEED),1) --messages $(or $(MESSAGES),20000) \
		$(if $(CATALOG),--catalog $(CATALOG))

faults: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m faults --seed $(or $(SEED),1) $(if $(ONLY),--only "$(ONLY)") $(if $(SHORT),--short)

failover: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m failover --seed $(or $(SEED),1) $(if $(ONLY),--only "$(ONLY)") $(if $(SHORT),--short)

real-model: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m real_model

overload: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m bench.overload --seed $(or $(SEED),1) $(if $(MESSAGES),--messages $(MESSAGES))

bench: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench --seed $(or $(SEED),1)

bench-short: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m bench.bench --short --seed $(or $(SEED),1)

growth: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m bench.growth --seed $(or $(SEED),1)

schema: $(READY)
	@PYTHONPATH=tests exec $(BIN)/python -m helpers.schema_text

lock:
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
		--no-header --upgrade --quiet pyproject.toml --extra dashboard --extra tracing -o requirements.lock
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-annotate \
		--no-header --upgrade --quiet pyproject.toml --all-extras -o requirements-dev.lock

clean:
	rm -rf .venv .chasqui build
