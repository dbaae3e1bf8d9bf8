# The service with its built-in strategies. To build it: docker build --tag petrosa-ta-bot:2.0.0 \
#   --build-arg TA_BOT_COMMIT="$(git rev-parse --short=12 HEAD)" --build-arg TA_BOT_BUILD_DATE="$(date -u +%FT%TZ)" .
FROM rust:1.95-bookworm AS build
WORKDIR /build
# /health and a metric say what the binary was built of.
ARG TA_BOT_COMMIT="" TA_BOT_BUILD_DATE=""
COPY . .
# The caches stay on the builder; the files for the image are copied out of them.
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/build/target \
    make build CI=1 \
    && install -D --mode=755 target/release/ta-bot /out/ta-bot \
    && install -D --mode=644 --target-directory=/out/strategies target/strategies/*.wasm

FROM debian:bookworm-slim
# curl and nc are for operators who examine the network from inside a pod.
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates curl netcat-openbsd \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --system --uid 10001 --user-group --no-create-home --shell /usr/sbin/nologin ta-bot \
    && install --directory --owner=ta-bot --group=ta-bot --mode=700 /data
COPY --from=build /out/ta-bot /usr/local/bin/ta-bot
COPY --from=build /out/strategies /strategies
# It listens on the network, so it starts only with API_TOKENS_FILE, or with API_ANONYMOUS_ROLE=viewer or trader if
# everybody who reaches it may have that role; then HTTP_ALLOWED_HOSTS names the hosts beside localhost that callers
# write.
ENV HTTP_ADDR=0.0.0.0:8080 DATA_DIR=/data STRATEGIES_DIR=/strategies
# A number, since Kubernetes can't tell from a name that the user is not root.
USER 10001:10001
VOLUME /data
EXPOSE 8080
ENTRYPOINT ["ta-bot"]
CMD ["serve"]
