# The CPU server: plain onnxruntime, no torch, no compiler, no pip, not root. docker/README.md says how to build and run it.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# What changes least comes first: a change of Hondo's own code installs no dependency again.
COPY requirements/build.lock requirements/serve-cpu.lock requirements/
RUN python -m venv /opt/tools \
    && /opt/tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock \
    && python -m venv --without-pip /opt/hondo \
    && /opt/tools/bin/pip --python /opt/hondo install --require-hashes --only-binary :all: -r requirements/serve-cpu.lock
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
LABEL org.opencontainers.image.title="Hondo server (CPU)" \
      org.opencontainers.image.description="Serves ONNX models over gRPC on ONNX Runtime" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH="/opt/hondo/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1
COPY --from=build /opt/hondo /opt/hondo
COPY models /models
USER 10001:10001
EXPOSE 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["hondo", "health"]
# To listen beyond the container takes --tokens, --tls-cert with --tls-key, or --insecure: whoever runs it says which.
ENTRYPOINT ["hondo", "serve", "/models", "--host", "0.0.0.0"]
