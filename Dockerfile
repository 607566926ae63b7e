# Regatta's image: `docker build .` for CPUs. For GPUs, on a base that has Paddle and TensorRT:
#   docker build --build-arg BASE=paddlepaddle/paddle:3.0.0-gpu-cuda12.6-cudnn9.5-trt10.5 \
#     --build-arg PADDLE=base --build-arg PYTHON=python3.11 .
ARG BASE=python:3.11-slim-bookworm

# An S3 server over a volume, with a bucket in it, for `docker compose`.
FROM versity/versitygw:v1.7.0 AS objects
RUN adduser -D -u 10001 regatta \
    && mkdir -p /data/regatta \
    && chown -R regatta /data
USER 10001
EXPOSE 7070
HEALTHCHECK CMD ["wget", "-q", "-O", "/dev/null", "http://127.0.0.1:7070/health"]
ENTRYPOINT ["versitygw"]
CMD ["--port", ":7070", "--health", "/health", "posix", "/data"]

FROM ${BASE} AS build
# The interpreter of the base, and whose Paddle it is: that of the lock, or that of the base.
ARG PYTHON=python3
ARG PADDLE=lock
WORKDIR /src
RUN ${PYTHON} -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Regatta needs Python 3.11: set PYTHON")' \
    && ${PYTHON} -m venv $(test "${PADDLE}" = lock || echo --system-site-packages) /opt/regatta
ENV PATH=/opt/regatta/bin:$PATH
COPY requirements.lock .
# Without the lock's own Paddle where the base has one: two builds overwrite each other.
RUN awk -v paddle="${PADDLE}" '/^[a-z]/ { skip = paddle != "lock" && /^paddlepaddle==/ } !skip' \
      requirements.lock > chosen.lock \
    && pip install --no-cache-dir --disable-pip-version-check --require-hashes -r chosen.lock
COPY . .
RUN pip install --no-cache-dir --disable-pip-version-check --no-deps --no-build-isolation .

FROM ${BASE} AS runtime
# Paddle's math library needs OpenMP, which slim images lack.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends libgomp1 \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --create-home regatta \
    && install --directory --owner regatta /var/lib/regatta
COPY --from=build /opt/regatta /opt/regatta
ENV PATH=/opt/regatta/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    REGATTA_HOME=/var/lib/regatta \
    REGATTA_LOG_FORMAT=json
USER 10001
WORKDIR /var/lib/regatta
HEALTHCHECK --interval=30s --timeout=20s --start-period=120s CMD ["regatta", "health"]
CMD ["regatta", "--help"]
