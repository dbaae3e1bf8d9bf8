# The service with its built-in strategies. To build it: docker build --tag petrosa-ta-bot:2.0.0 \
#   --build-arg TA_BOT_COMMIT="$(git rev-parse --short=12 HEAD)" --build-arg TA_BOT_BUILD_DATE="$(date -u +%FT%TZ)" .
# The workflow .github/workflows/base-images.yaml adds the digests to the two names, in a change of its own.
ARG RUST_IMAGE=rust:1.95-bookworm
ARG RUNTIME_IMAGE=debian:bookworm-slim

FROM ${RUST_IMAGE} AS build
WORKDIR /build
# /health and a metric say what the binary was built of.
ARG TA_BOT_COMMIT="" TA_BOT_BUILD_DATE="" TARGETARCH=""
COPY . .
# The caches stay on the builder, one for each kind of processor; the files for the image are copied out of them. `make
# strategies` removes what an older source left in the cache.
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target,id=ta-bot-target-${TARGETARCH} \
    make build CI=1 \
    && install -D --mode=755 target/release/ta-bot /out/ta-bot \
    && install -D --mode=644 --target-directory=/out/strategies target/strategies/*.wasm
# A new pod with an empty volume need not compile them.
RUN /out/ta-bot strategies compile --strategies-dir /out/strategies --output /out/compiled

FROM ${RUNTIME_IMAGE}
ARG TA_BOT_COMMIT="" TA_BOT_BUILD_DATE="" TA_BOT_VERSION=2.0.0
LABEL org.opencontainers.image.title="petrosa-ta-bot" \
      org.opencontainers.image.description="Runs trading strategies as sandboxed WebAssembly components" \
      org.opencontainers.image.source="https://github.com/PetroSa2/petrosa-bot-ta-analysis" \
      org.opencontainers.image.licenses="Apache-2.0" \
      org.opencontainers.image.version="${TA_BOT_VERSION}" \
      org.opencontainers.image.revision="${TA_BOT_COMMIT}" \
      org.opencontainers.image.created="${TA_BOT_BUILD_DATE}"
# curl and nc are for operators who examine the network from inside a pod.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl netcat-openbsd \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ta-bot \
    && install --directory --owner=ta-bot --group=ta-bot --mode=700 /data
COPY --from=build /out/ta-bot /usr/local/bin/ta-bot
COPY --from=build /out/strategies /strategies
COPY --from=build /out/compiled /compiled
# It listens on the network, so it starts only with API_TOKENS_FILE, or with API_ANONYMOUS_ROLE=viewer or trader if
# everybody who reaches it may have that role; then HTTP_ALLOWED_HOSTS names the hosts beside localhost that callers
# write.
ENV HTTP_ADDR=0.0.0.0:8080 DATA_DIR=/data STRATEGIES_DIR=/strategies COMPILED_DIR=/compiled
# A number, since Kubernetes can't tell from a name that the user is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
# For Docker and Compose; Kubernetes has probes of its own. It asks whether the process lives: a store that is away is
# no reason to restart it. With another port of HTTP_ADDR, give another one.
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s --retries=6 \
    CMD ["curl", "--fail", "--silent", "--output", "/dev/null", "http://127.0.0.1:8080/healthz"]
ENTRYPOINT ["ta-bot"]
CMD ["serve"]
