# A static binary in an empty image: nothing to patch, nothing to log in to.
#
#   docker build -t crossfade .
#   docker run --rm -p 9542:9542 crossfade serve --emit=old --target=http://kong:8100/metrics

FROM rust:1.95-alpine AS build
# Alpine's own target is musl, which links statically. The linker's start files are a package of their own.
RUN apk add --no-cache musl-dev
WORKDIR /src
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cargo build --release --locked --bin crossfade \
    && cp target/release/crossfade /crossfade

FROM scratch
COPY --from=build /crossfade /crossfade
# Kubernetes checks runAsNonRoot by number; a name would need an /etc/passwd.
USER 65532:65532
# Scrapes. The admin listener (9543) stays on the container's loopback interface unless told otherwise.
EXPOSE 9542
# SIGTERM finishes scrapes in flight before the process ends.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/crossfade"]
CMD ["serve", "--config.file=/etc/crossfade/crossfade.yaml"]

# No HEALTHCHECK: Kubernetes ignores it, and elsewhere the interval is the operator's to choose. There is
# no shell and no curl in here, so probes call the binary:
#
#   livenessProbe: { exec: { command: [/crossfade, health] } }                                    # Kubernetes
#   readinessProbe: { exec: { command: [/crossfade, health, --url=http://127.0.0.1:9543/-/ready] } }
#   healthcheck: { test: [CMD, /crossfade, health] }                                              # Compose
