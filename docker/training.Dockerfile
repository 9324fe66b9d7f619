# Trains, exports and proves: PyTorch, ONNX and plain onnxruntime; not root. docker/README.md says how to build and run it.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# What changes least comes first: a change of Hondo's own code installs no dependency again, and PyTorch is large.
COPY requirements/build.lock requirements/export.lock requirements/
RUN python -m venv /opt/tools \
    && /opt/tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock \
    && python -m venv --without-pip /opt/hondo \
    && /opt/tools/bin/pip --python /opt/hondo install --require-hashes -r requirements/export.lock
COPY pyproject.toml README.md LICENSE ./
COPY protos protos
COPY hondo hondo
COPY training training
COPY export export
COPY serving serving
RUN PATH="/opt/tools/bin:$PATH" pip wheel --no-deps --no-build-isolation --wheel-dir /wheels . \
    && /opt/tools/bin/pip --python /opt/hondo install --no-deps --no-index /wheels/*.whl

FROM ${PYTHON}
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="Hondo training" \
      org.opencontainers.image.description="Trains nets with PyTorch and exports them to ONNX with proof" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
# Whoever runs it mounts a folder at /work: run folders, models and caches go there.
ENV PATH="/opt/hondo/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 \
    HOME=/work MPLCONFIGDIR=/tmp/matplotlib ORT_DISABLE_TELEMETRY=1
COPY --from=build /opt/hondo /opt/hondo
WORKDIR /work
USER 10001:10001
ENTRYPOINT ["hondo"]
CMD ["train", "--help"]
