# Build: a static binary. No cgo: the SQLite in it is pure Go.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download && go mod verify
COPY . .
ARG VERSION=dev
ARG COMMIT=unknown
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false \
      -ldflags "-s -w -X main.version=${VERSION} -X main.commit=${COMMIT}" \
      -o /out/sfmcp-proxy ./cmd/sfmcp-proxy \
 && mkdir -p /out/data

# Run: no shell, no package manager, not root. /data holds the database and the
# key file; mount a volume there and keep the rest of the file system read only.
FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /out/sfmcp-proxy /sfmcp-proxy
COPY --from=build --chown=65532:65532 /out/data /data
USER 65532:65532
WORKDIR /data
VOLUME /data
EXPOSE 8080 9090
ENTRYPOINT ["/sfmcp-proxy"]
CMD ["serve", "--config", "/etc/sfmcp-proxy/sfmcp-proxy.yaml"]
