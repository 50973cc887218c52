# Two commands do all the set-up: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
PORT ?= 8000
# requirements-web.lock, without torch, is enough for a machine that only serves pages.
LOCK ?= requirements.lock

.PHONY: demo test torture soak install check docs bench-statistics bench-model bench-reading bench-export \
	bench-load bench-scoring bench-sizes languages lock clean

demo: install
	$(VENV)/bin/reread demo --port $(PORT)

test: install
	$(VENV)/bin/python -m pytest

# Kills web, worker and Postgres under simulated readers; READERS, SUBMISSIONS, KILLS, SEED set the
# size, and CONTROL=yes switches off what keeps commits, so that it must fail. The last line counts.
torture: install
	@$(VENV)/bin/python -m tests.torture

# Half an hour of reading at a person's pace; READERS, MINUTES and PAUSE (seconds) set the size. The
# last line says what grew; the exit status is 0 only when nothing did and nothing was lost.
soak: install
	@$(VENV)/bin/python -m tests.torture.soak

# Quick when nothing changed: the stamp is newer than the lock.
STAMP := $(VENV)/.installed$(LOCK:requirements%.lock=%)
install: $(STAMP)

$(STAMP): $(LOCK) requirements.lock requirements-uv.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "reread needs Python 3.11 or newer; name one with PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the packages of $(LOCK) (with PyTorch about 3 GB the first time) ..."
	$(VENV)/bin/python -m pip install --quiet --require-hashes --requirement requirements-uv.lock
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes --requirements $(LOCK)
	@sed -n '/^setuptools==/,/# via/p' requirements.lock > $(VENV)/setuptools.lock  # it builds reread itself
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --require-hashes --requirements $(VENV)/setuptools.lock
	$(VENV)/bin/uv pip install --quiet --python $(VENV)/bin/python --no-deps --no-build-isolation --editable .
	@touch $@

check: install
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/pyright
	$(VENV)/bin/lint-imports
	$(VENV)/bin/djlint --lint templates
	$(MAKE) --no-print-directory docs

# The manual as a site, in build/site/docs/index.html; a link that leads nowhere is an error.
docs: install
	$(VENV)/bin/sphinx-build --quiet --fail-on-warning --builder html --conf-dir docs . build/site

# Against R in the same run where R has pROC; the last line is JSON, whose "holds" says whether all
# that is asked is reached.
bench-statistics: install
	@$(VENV)/bin/python bench/statistics.py --plot build/statistics-growth.svg

# The model against plain encoding and against pytorch-grad-cam in the same run; last line as above.
bench-model: install
	@$(VENV)/bin/python bench/model.py

# A hundred cases by keyboard in Chromium, beside the bare writes of the same run; last line as above.
bench-reading: install
	@$(VENV)/bin/python bench/reading_pace.py

# Simulated readers over HTTP, beside bare psycopg in the same run; last line as above.
bench-load: install
	@$(VENV)/bin/python -m bench.load

# Images a second by one and two workers, beside plain encoding; last line as above.
bench-scoring: install
	@$(VENV)/bin/python -m bench.scoring

# Bytes a row, and the size of a very large installation from them (docs/scale.md).
bench-sizes: install
	@$(VENV)/bin/python -m bench.sizes

# The pack of 707 cases x 20 readers beside COPY of the same rows; minutes to build; last line as above.
# Another size: make bench-export CASES=1400 READERS=20
bench-export: install
	@$(VENV)/bin/python bench/export.py $(if $(CASES),--cases $(CASES)) $(if $(READERS),--readers $(READERS))

# After changing a text: bring app/languages/*.po up to date; what is new there is to be translated.
languages: install
	$(VENV)/bin/python -m app.languages.collect

# After changing pyproject.toml: make the locks anew (they name no host).
lock:
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group model --group dev pyproject.toml --output-file requirements.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header pyproject.toml --constraint requirements.lock --output-file requirements-web.lock
	$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --group model pyproject.toml --constraint requirements.lock --output-file requirements-worker.lock

clean:
	rm -rf $(VENV) build *.egg-info
