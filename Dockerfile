# syntax=docker/dockerfile:1

FROM rust:1.95-slim-bookworm AS build
WORKDIR /build
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry \
    --mount=type=cache,target=/build/target \
    cargo build --locked --profile dist --bin leash \
    && cp target/dist/leash /leash

FROM debian:bookworm-slim
RUN apt-get update \
    && apt-get install --yes --no-install-recommends ca-certificates \
    && rm -rf /var/lib/apt/lists/*

# The only place that leash may write to, and only with SQLite: the rest can be mounted read-only.
RUN install --directory --owner=10001 --group=10001 /data
WORKDIR /data
VOLUME /data

COPY --from=build /leash /usr/local/bin/leash
USER 10001:10001
# Beyond loopback leash serves with LEASH_TLS_CERT and LEASH_TLS_KEY, or in clear where LEASH_INSECURE=true says so.
ENV LEASH_LISTEN=0.0.0.0:50051
# 9464 has the metrics where LEASH_METRICS_LISTEN=0.0.0.0:9464 asks for them.
EXPOSE 50051 9464
# No HEALTHCHECK: nothing here could ask but leash itself, and what runs containers asks from outside, over gRPC or at /healthz and /readyz.
ENTRYPOINT ["leash"]
CMD ["serve"]
