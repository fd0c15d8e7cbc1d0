# One image for every process of the service; docker-compose.yml says which command each one runs.
# All that is installed is pinned and checked by hash, the build backend included.

FROM python:3.12-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
WORKDIR /src
RUN python -m venv /opt/chasqui && python -m venv /opt/build

COPY requirements.lock requirements-dev.lock ./
RUN /opt/chasqui/bin/pip install --require-hashes -r requirements.lock
# The build backend and what it needs, out of the development lock: the rest of that file has no business here.
RUN awk '/^[^ ]/ { keep = /^(hatchling|packaging|pathspec|pluggy|tomlkit|trove-classifiers)==/ } keep' requirements-dev.lock \
        > build.lock \
    && /opt/build/bin/pip install --require-hashes -r build.lock

COPY pyproject.toml README.md ./
COPY alembic alembic
COPY db db
COPY worker worker
RUN /opt/build/bin/pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && /opt/chasqui/bin/pip install --no-deps dist/*.whl

FROM python:3.12-slim
RUN useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin chasqui
COPY --from=build /opt/chasqui /opt/chasqui
ENV PATH=/opt/chasqui/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
WORKDIR /opt/chasqui
USER chasqui
CMD ["chasqui", "--help"]
