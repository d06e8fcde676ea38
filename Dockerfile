# The service and the concurrent request tool as one image, without a compiler in it.

FROM rust:1.95-slim-trixie AS build
WORKDIR /racy

# The dependencies alone, built with our manifests and empty crates. This layer is built again only
# when the manifests change. The empty crates are cleaned away.
COPY Cargo.toml Cargo.lock ./
COPY tools/make_requests/Cargo.toml tools/make_requests/
RUN mkdir src tools/make_requests/src \
 && printf '//! Empty.\nfn main() {}\n' | tee src/lib.rs src/main.rs tools/make_requests/src/lib.rs \
      >tools/make_requests/src/main.rs \
 && cargo build --release --locked --workspace --bins \
 && cargo clean --release --package racy --package make_requests

COPY migrations migrations
COPY static static
COPY tools/make_requests tools/make_requests
COPY scenarios scenarios
COPY docs/matrix.json docs/scenarios-matrix.json docs/
COPY src src
RUN cargo build --release --locked --workspace --bins

FROM debian:trixie-slim
# To verify the certificates of databases.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /racy/target/release/racy /racy/target/release/make_requests /usr/local/bin/
RUN useradd --system --create-home racy \
 && install --directory --owner=racy --group=racy --mode=0700 \
      /var/lib/racy/exports /var/lib/racy/tables
USER racy

ENV RACY_LISTEN=0.0.0.0:8080
EXPOSE 8080
HEALTHCHECK --interval=3s --timeout=5s --retries=3 --start-period=30s CMD ["racy", "healthcheck"]
# No shell in between: the signal to stop reaches the service, which then finishes its requests.
ENTRYPOINT ["racy"]
CMD ["serve"]
