# What people run. `make` alone lists it.
EST_PORT ?= 8443
ADMIN_PORT ?= 8000
DATA_DIR ?= var
CONFIG ?= config/config-local.yaml
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin

export EST_CONFIG := $(abspath $(CONFIG))
export EST_DATA_DIR := $(abspath $(DATA_DIR))

# What goes to AWS is config/config.yaml, unless another file is named; never the laptop's default.
PACKAGE_CONFIG := $(if $(filter file,$(origin CONFIG)),env -u EST_CONFIG)

COMPILE := uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header

# Tests read no configuration. Their child processes start faster when byte code is written.
PYTEST := env -u EST_CONFIG -u EST_DATA_DIR -u PYTHONDONTWRITEBYTECODE $(BIN)/pytest
# Three workers for two cores in a whole run, because many tests wait. A run of some tests is over
# before workers have started.
WORKERS ?= $(if $(ARGS),0,auto)

.PHONY: help run check check-fast test quick test-deploy proof demo-aws package deploy bench lock clean

help:  ## list the targets
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

run: $(VENV)/.run  ## serve EST on https://localhost:8443 and the admin on http://127.0.0.1:8000
	@$(BIN)/python manage.py quickstart --port $(EST_PORT) --admin-port $(ADMIN_PORT)
	@exec $(BIN)/python manage.py runest --port $(EST_PORT) --admin-port $(ADMIN_PORT)

check: check-fast  ## what CI checks before it tests
	$(BIN)/mypy .
	env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python manage.py check --fail-level WARNING
	env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python manage.py makemigrations --check --dry-run
	env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python -m tests.estserver.dsql.review

check-fast: $(VENV)/.dev  ## the part of check that takes seconds
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

test: $(VENV)/.dev  ## run every test, or some: make test ARGS='-k denied'
	@sh tests/install_packages.sh
	$(PYTEST) -n $(WORKERS) $(ARGS)

quick: $(VENV)/.dev  ## run the tests that cover the rules in a minute: without deployments, browsers, crashes
	$(PYTEST) -n $(WORKERS) -m 'not slow and not proof' $(ARGS)

demo-aws: $(VENV)/.dev  ## 20 devices become things in an AWS account that moto simulates
	@env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python -m demo

test-deploy: $(VENV)/.dev  ## run the tests that make Lambda packages and deploy them
	$(PYTEST) -m deploy $(ARGS)

proof: $(VENV)/.dev  ## run the tests that take minutes: kills, storms, races, mutations, packages for each Python
	$(PYTEST) -m proof -v -rP --durations=0 $(ARGS)

screenshots: $(VENV)/.dev  ## draw the pictures of docs/console.md anew, in Debian's Chromium
	EST_SCREENSHOTS=docs/pictures/console $(PYTEST) -q tests/estserver/console/test_looks.py -k pictured

package: $(VENV)/.run  ## make the Lambda packages in var/package, and list their parts
	$(PACKAGE_CONFIG) $(BIN)/python manage.py aws_package

deploy: $(VENV)/.run  ## deploy everything to AWS, or update it: make deploy CONFIG=config/staging.yaml
	@$(PACKAGE_CONFIG) $(BIN)/python manage.py aws_deploy $(ARGS)

bench: $(VENV)/.dev  ## measure; prints tables: make bench ARGS='--write-docs' draws charts too
	env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python -m bench $(ARGS)
	env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python -m bench.cold_start
	$(if $(PAGES),env -u EST_CONFIG -u EST_DATA_DIR $(BIN)/python -m bench.pages --postgresql --certificates $(PAGES))

lock:  ## compile requirements/*.in (needs uv)
	$(COMPILE) requirements/main.in -o requirements.txt
	$(COMPILE) requirements/dev.in -o requirements/dev.txt
	$(COMPILE) -c requirements.txt requirements/est.in -o requirements/est.txt
	$(COMPILE) -c requirements.txt requirements/admin.in -o requirements/admin.txt
	$(COMPILE) -c requirements.txt --no-deps requirements/zappa.in -o requirements/zappa.txt

clean:  ## remove the virtual environment; the data directory stays
	rm -rf $(VENV)

$(BIN)/pip:
	@sh requirements/make_venv.sh $(PYTHON) $(VENV)

$(VENV)/.run: requirements.txt | $(BIN)/pip
	@echo "installing requirements.txt"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt | $(BIN)/pip
	@echo "installing requirements/dev.txt"
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.txt
	@touch $@ $(VENV)/.run
