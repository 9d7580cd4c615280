# The image that runs on the CPU.
#
#   docker build -t upscaled .
#   docker run --rm -v "$PWD:/media" -u "$(id -u):$(id -g)" upscaled transcode film.mkv
#
# docs/start.md has the server's line.
#
# What is installed, and which ONNX Runtime, stands in deploy/install-deps.sh and not here. The images
# below are pinned by tag, so that they get Debian's security updates; a build that must not change names
# digests: --build-arg RUN_IMAGE=debian:bookworm-slim@sha256:…
ARG GO_IMAGE=golang:1.26.8-bookworm
ARG RUN_IMAGE=debian:bookworm-slim

FROM ${GO_IMAGE} AS build
WORKDIR /src
# The installer takes ONNX Runtime from what it finds; pip's download is a fifth of npm's.
RUN apt-get update \
	&& apt-get install -y --no-install-recommends python3-pip \
	&& rm -rf /var/lib/apt/lists/*
COPY go.mod go.sum ./
COPY deploy/ deploy/
COPY elements/infer/onnxruntime.version elements/infer/
RUN deploy/install-deps.sh build
RUN go mod download
COPY . .
RUN --mount=type=cache,target=/root/.cache/go-build make build

FROM ${RUN_IMAGE}
LABEL org.opencontainers.image.title="upscaled" \
	org.opencontainers.image.description="Upscale video with ONNX super-resolution on GStreamer" \
	org.opencontainers.image.source="https://github.com/upscaled-media/upscaled" \
	org.opencontainers.image.documentation="https://github.com/upscaled-media/upscaled/blob/main/docs/start.md" \
	org.opencontainers.image.licenses="Apache-2.0"

# Laid out like a checkout, so that the installer checks the library by its sha256 once more and adds
# Debian's packages, and the program finds the library by itself.
WORKDIR /opt/upscaled
COPY --from=build /src/deploy/ deploy/
COPY --from=build /src/elements/infer/onnxruntime.version elements/infer/
COPY --from=build /src/.deps/onnxruntime/ .deps/onnxruntime/
RUN deploy/install-deps.sh run && rm -rf /var/lib/apt/lists/*
COPY --from=build /src/LICENSE /src/NOTICE ./
COPY --from=build /src/bin/upscaled /src/bin/upscaled-server bin/
RUN ln -s /opt/upscaled/bin/upscaled /usr/local/bin/upscaled \
	&& useradd --uid 10001 --user-group --no-create-home --home-dir /media --shell /usr/sbin/nologin upscaled \
	&& install -d -o upscaled -g upscaled /var/lib/upscaled /var/cache/upscaled

# The server's jobs and segments: not among the films that are mounted at /media.
ENV XDG_STATE_HOME=/var/lib XDG_CACHE_HOME=/var/cache
VOLUME /var/lib/upscaled

# GStreamer's list of plugins is made here: a user without a home folder would make it anew each time.
# doctor makes it, and fails the build where something is missing.
ENV GST_REGISTRY=/opt/upscaled/gstreamer-registry.bin
RUN upscaled doctor && chmod 644 "$GST_REGISTRY"

# HTTP, and WebRTC's one port.
EXPOSE 7890 7891/udp
USER 10001:10001
WORKDIR /media
ENTRYPOINT ["upscaled"]
