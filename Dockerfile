# A static binary in an empty image, without a shell or an operating system to patch.
#
#   docker build -t crossfade .
#   docker run --rm -p 9542:9542 crossfade serve --emit=old --target=http://kong:8100/metrics

FROM rust:1.95-bookworm AS build
WORKDIR /src
COPY . .
# What `crossfade --version` says. The image of the build has no git.
#   --build-arg CROSSFADE_COMMIT=$(git rev-parse HEAD)
#   --build-arg SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
ARG CROSSFADE_COMMIT=
ARG SOURCE_DATE_EPOCH=
# Linked as the published program is, see release/build. With musl, a scrape takes 1.5 to 2.5
# times the CPU.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/src/target \
    cc -c -O2 -fPIE -o /hosts.o release/hosts.c \
    && target=$(uname -m)-unknown-linux-gnu \
    && RUSTFLAGS=-Ctarget-feature=+crt-static cargo rustc --locked --profile=packaged \
        --target="$target" --bin crossfade -- -Clink-arg=/hosts.o \
    && cp "target/$target/packaged/crossfade" /crossfade

FROM scratch
COPY --from=build /crossfade /crossfade
# Memory that a scrape frees goes back to the system, as in deploy/crossfade.service.
ENV MALLOC_TRIM_THRESHOLD_=131072
# A number, because Kubernetes checks runAsNonRoot by number, and the image has no /etc/passwd.
USER 65532:65532
# The data listener. By default the admin listener (9543) is on the loopback interface only.
EXPOSE 9542
# After SIGTERM, the process finishes the scrapes in flight.
STOPSIGNAL SIGTERM
ENTRYPOINT ["/crossfade"]
CMD ["serve", "--config.file=/etc/crossfade/crossfade.yaml"]

# No HEALTHCHECK: Kubernetes ignores it, and its interval depends on the installation. The image has
# no shell and no curl, so probes call the binary:
#
#   livenessProbe: { exec: { command: [/crossfade, health] } }                                    # Kubernetes
#   readinessProbe: { exec: { command: [/crossfade, health, --url=http://127.0.0.1:9543/-/ready] } }
#   healthcheck: { test: [CMD, /crossfade, health] }                                              # Compose
