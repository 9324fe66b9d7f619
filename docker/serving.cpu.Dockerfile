# The CPU server: plain onnxruntime, no torch, no compiler, not root.
#   docker build -f docker/serving.cpu.Dockerfile -t hondo-serving:cpu .
#   docker run --read-only -p 8001:8001 -p 8002:8002 hondo-serving:cpu
FROM python:3.11-slim-bookworm AS build
WORKDIR /src
COPY pyproject.toml README.md LICENSE ./
COPY requirements/constraints.txt requirements/
COPY protos protos
COPY hondo hondo
COPY training training
COPY export export
COPY serving serving
RUN python -m venv /opt/hondo \
    && /opt/hondo/bin/pip install --no-cache-dir --disable-pip-version-check -c requirements/constraints.txt '.[serve-cpu]'

FROM python:3.11-slim-bookworm
COPY --from=build /opt/hondo /opt/hondo
COPY models /models
USER 10001:10001
EXPOSE 8001 8002
ENTRYPOINT ["/opt/hondo/bin/hondo", "serve"]
CMD ["/models", "--host", "0.0.0.0"]
