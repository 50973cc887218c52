# Two images from one file: `web`, which holds no torch, and `worker`, which holds the model.
# The Python is the one the tests run on.
FROM python:3.11-slim AS base
RUN useradd --system --uid 10001 --no-create-home reread \
    && install --directory --owner reread --mode 0700 /data
ENV PATH=/opt/venv/bin:$PATH VIRTUAL_ENV=/opt/venv PYTHONUNBUFFERED=1 REREAD_DATA=/data
WORKDIR /srv/reread

FROM base AS build
COPY requirements-uv.lock requirements.lock ./
# setuptools builds the project itself; its version and hashes are those of the lock.
RUN pip install --no-cache-dir --require-hashes --requirement requirements-uv.lock \
    && uv venv "$VIRTUAL_ENV" \
    && sed -n '/^setuptools==/,/# via/p' requirements.lock > setuptools.lock

FROM build AS build-web
COPY requirements-web.lock ./
RUN uv pip sync --no-cache --require-hashes requirements-web.lock \
    && uv pip install --no-cache --require-hashes --requirement setuptools.lock
COPY pyproject.toml README.md LICENSE ./
COPY app/ app/
RUN uv pip install --no-deps --no-build-isolation --editable .

FROM build AS build-worker
COPY requirements-worker.lock ./
RUN uv pip sync --no-cache --require-hashes requirements-worker.lock \
    && uv pip install --no-cache --require-hashes --requirement setuptools.lock
COPY pyproject.toml README.md LICENSE ./
COPY app/ app/
COPY models/ models/
RUN uv pip install --no-deps --no-build-isolation --editable .

FROM base AS web
COPY --from=build-web /opt/venv /opt/venv
COPY --from=build-web /srv/reread /srv/reread
COPY migrations/ migrations/
COPY templates/ templates/
COPY static/ static/
USER reread
EXPOSE 8000
# The application answers for its public address alone, so the check asks for that one.
HEALTHCHECK --interval=30s --timeout=5s --start-period=20s CMD ["python", "-c", "import os, urllib.parse, urllib.request as r; host = urllib.parse.urlsplit(os.environ.get('REREAD_PUBLIC_URL') or 'http://localhost').netloc; r.urlopen(r.Request('http://127.0.0.1:8000/health', headers={'Host': host}), timeout=4)"]
CMD ["reread", "serve", "--host", "0.0.0.0", "--port", "8000"]

FROM base AS worker
COPY --from=build-worker /opt/venv /opt/venv
COPY --from=build-worker /srv/reread /srv/reread
COPY migrations/ migrations/
USER reread
CMD ["reread", "worker"]
