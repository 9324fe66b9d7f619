# The CUDA server: onnxruntime-gpu, with CUDA 13 and cuDNN 9 as the Python packages that its own extras name; not root.
# The driver comes from the host, by the NVIDIA Container Toolkit. docker/README.md says how to build and run it.
ARG PYTHON=docker.io/library/python:3.11-slim-bookworm

FROM ${PYTHON} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
WORKDIR /src
# What changes least comes first: a change of Hondo's own code installs no dependency again, and CUDA is gigabytes.
COPY requirements/build.lock requirements/serve.lock requirements/
RUN python -m venv /opt/tools \
    && /opt/tools/bin/pip install --require-hashes --only-binary :all: -r requirements/build.lock \
    && python -m venv --without-pip /opt/hondo \
    && /opt/tools/bin/pip --python /opt/hondo install --require-hashes --only-binary :all: -r requirements/serve.lock
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
LABEL org.opencontainers.image.title="Hondo server (CUDA)" \
      org.opencontainers.image.description="Serves ONNX models over gRPC on ONNX Runtime with CUDA 13 and cuDNN 9" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}"
ENV PATH="/opt/hondo/bin:$PATH" PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 ORT_DISABLE_TELEMETRY=1 \
    NVIDIA_VISIBLE_DEVICES=all NVIDIA_DRIVER_CAPABILITIES=compute,utility
COPY --from=build /opt/hondo /opt/hondo
COPY models /models
USER 10001:10001
EXPOSE 8001 8002
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=6s --start-period=120s --retries=3 CMD ["hondo", "health"]
# --device cuda: where no GPU comes up, the server does not start, rather than be slow unnoticed.
ENTRYPOINT ["hondo", "serve", "/models", "--host", "0.0.0.0", "--device", "cuda"]
