# Build: a static binary. No cgo: the SQLite in it is pure Go. The tag nosim leaves the
# simulated Salesforce out, with the commands that run it (demo, salesforce-sim).
#
# Both base images are named by digest, so that every build gets the same ones. The digests are
# those under which other public projects build on these tags; nobody here has pulled them. A
# newer one is what docker buildx imagetools inspect IMAGE prints.
FROM golang:1.26.8@sha256:3c3e25a4da13fd0478eed2df1eb35a0e667094a7124d3993a6a1d30f71c17e79 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
# VERSION and COMMIT come from outside, because the sources come without their history:
# docker build --build-arg VERSION=… --build-arg COMMIT="$(git rev-parse HEAD)" .
ARG VERSION=0.2.0-dev
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -tags nosim -trimpath -buildvcs=false \
      -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" \
      -o /out/sfmcp-proxy ./cmd/sfmcp-proxy \
 && mkdir -p /out/data /out/checkpoints

# Run: no shell, no package manager, not root. /data holds the database, the audit log
# and the key file; mount a volume there that lasts and is no network file system, and keep
# the rest of the file system read only.
#
# What the configuration must say for a container (relative paths count from the folder
# of the configuration file, which is read only):
#   listen: 0.0.0.0:8080            the default, 127.0.0.1:8080, is reached by nobody outside;
#                                   it needs tls or trusted_proxies, as everywhere
#   admin_listen: 127.0.0.1:9090    the default serves the check below; metrics and the
#                                   probes of Kubernetes need 0.0.0.0:9090 (in production with
#                                   admin_listen_open: true), which is never published
#   database: sqlite:/data/proxy.db
#   keys_file: /data/keys
#   audit: {dir: /data/audit}       the default beside that database; with PostgreSQL it has to be
#                                   said, and each container needs such a volume of its own
# The image sets none of them by itself: a variable (SFMCP_LISTEN) is stronger than the
# file, and would open to the network what the file keeps to this machine.
FROM gcr.io/distroless/static-debian12:nonroot@sha256:afa5c872c891853ca7fcf1f12c3edb23f7eeef36189728842dd51042ff57f7ab
COPY --from=build /out/sfmcp-proxy /sfmcp-proxy
COPY --from=build --chown=65532:65532 /out/data /data
# Where a volume for audit.checkpoints may be mounted: a new one takes its owner from here.
COPY --from=build --chown=65532:65532 /out/checkpoints /checkpoints
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8080 9090
HEALTHCHECK --interval=30s --timeout=5s --start-period=30s --retries=3 \
  CMD ["/sfmcp-proxy", "healthcheck", "--config", "/etc/sfmcp-proxy/sfmcp-proxy.yaml"]
ENTRYPOINT ["/sfmcp-proxy"]
CMD ["serve", "--config", "/etc/sfmcp-proxy/sfmcp-proxy.yaml"]
