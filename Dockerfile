# syntax=docker/dockerfile:1
# Give a digest for builds that can be repeated: --build-arg PYTHON=python:3.11-slim@sha256:...
ARG PYTHON=python:3.11-slim

FROM ${PYTHON} AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_NO_INPUT=1 \
    PIP_ROOT_USER_ACTION=ignore
WORKDIR /src
COPY requirements/build.txt requirements/runtime.txt requirements/charts.txt requirements/
# Two places: what builds the wheel, pip among it, stays out of the image.
RUN python -m venv --without-pip /opt/prescaler \
    && pip install --require-hashes -r requirements/build.txt -r requirements/charts.txt \
    && pip --python /opt/prescaler/bin/python install --no-compile --only-binary :all: \
        --require-hashes -r requirements/runtime.txt
COPY LICENSE README.md pyproject.toml hatch_build.py package.json package-lock.json .npmrc ./
COPY migrations migrations
COPY prescaler prescaler
# The root of the image is read-only: bytecode is written here or never, and without its sources'
# dates, which a copy need not keep.
RUN pip wheel --no-deps --no-build-isolation --wheel-dir dist . \
    && pip --python /opt/prescaler/bin/python install --no-compile --no-deps --no-index dist/*.whl \
    && python -m compileall -qq -j 0 --invalidation-mode unchecked-hash /opt/prescaler/lib \
    && /opt/prescaler/bin/prescaler --version

FROM ${PYTHON}
LABEL org.opencontainers.image.title="prescaler" \
      org.opencontainers.image.source="https://github.com/prescaler/prescaler" \
      org.opencontainers.image.licenses="Apache-2.0"
RUN groupadd --gid 10001 prescaler \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /var/lib/prescaler \
        --shell /usr/sbin/nologin prescaler \
    && install -d -o 10001 -g 10001 -m 0750 /var/lib/prescaler
COPY --from=build /opt/prescaler /opt/prescaler
ENV PATH="/opt/prescaler/bin:${PATH}" \
    PRESCALER_CONFIG=/etc/prescaler/prescaler.yaml \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# In numbers: Kubernetes cannot tell from a name that it is not root's.
USER 10001:10001
WORKDIR /var/lib/prescaler
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import http.client, sys; c = http.client.HTTPConnection('127.0.0.1', 8080, timeout=3); c.request('GET', '/readyz'); sys.exit(c.getresponse().status != 200)"]
ENTRYPOINT ["prescaler"]
CMD ["serve"]
