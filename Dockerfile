# apo-train in a container, with LibTorch: the .deb of scripts/package.sh on Debian.
#   docker build -t apo-train .                                   for CPUs
#   docker build -t apo-train:cuda --build-arg FLAVOUR=cuda .     for NVIDIA GPUs too; then docker run --gpus all
#   docker run --rm -v "$PWD:/work" --user "$(id -u):$(id -g)" apo-train --config mlp
FROM debian:12 AS build
ARG FLAVOUR=cpu
WORKDIR /source
# A layer of their own: Debian's packages and LibTorch are fetched again only when these files change.
COPY scripts/setup.sh scripts/common.sh scripts/
COPY scripts/libtorch scripts/libtorch
RUN scripts/setup.sh --$FLAVOUR && apt-get install -y --no-install-recommends dpkg-dev
COPY . .
RUN scripts/package.sh deb --$FLAVOUR

FROM debian:12-slim
RUN --mount=type=bind,from=build,source=/source/build/packages,target=/packages \
    apt-get update && apt-get install -y --no-install-recommends /packages/*.deb && rm -rf /var/lib/apt/lists/*
# What the NVIDIA runtime makes visible.
ENV NVIDIA_DRIVER_CAPABILITIES=compute,utility
WORKDIR /work
ENTRYPOINT ["apo-train"]
