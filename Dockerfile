# SPDX-License-Identifier: MIT
#
# One image per service, and `tandem` for the whole cluster in one container and for the command line:
#   docker build --target edge -t tandem-edge .        (targets: edge, location, policy, records, console, tandem)
#   docker buildx build --platform linux/amd64,linux/arm64 --target edge …
# All targets hold the same files; they differ in what runs. Two bases: BASE builds, and must bring Node >= 22.18 and npm; RUNTIME_BASE runs, and needs no more
# than the C and C++ libraries of the same Debian: no shell, no package manager. Nothing is run in it while it is built, so that any base will do.
# A container runs as user 10001 and writes to /var/lib/tandem only, so its root may be read-only.
# node is process 1 and takes SIGTERM itself: it drains, then stops. Settings and traps: docs/operations/compose.md.
ARG BASE=node:24-bookworm-slim
ARG RUNTIME_BASE=gcr.io/distroless/cc-debian12

# The package manifests alone, so that a change of sources does not install again.
FROM ${BASE} AS manifests
WORKDIR /app
COPY packages packages
COPY services services
COPY cli cli
RUN find packages services cli -type f ! -name package.json -delete \
  && find packages services cli -type d -empty -delete

FROM ${BASE} AS build
WORKDIR /app
COPY .npmrc package.json package-lock.json ./
COPY --from=manifests /app ./
RUN npm ci --ignore-scripts
COPY tsconfig.json tsconfig.base.json ./
COPY packages packages
COPY services services
COPY cli cli
RUN node_modules/.bin/tsc -b && npm prune --omit=dev --ignore-scripts
# Names, versions and hashes of everything installed, as CycloneDX 1.5. A label says where it is.
RUN npm sbom --package-lock-only --omit dev --sbom-format cyclonedx --sbom-type application > sbom.json
# The addons for UDP and SCTP, by the C compiler of this stage alone. Without one (no network, another distribution) the image works with
# node:dgram and without SCTP, and says so at start; UDP_BATCH=require makes that an error of the build.
ARG UDP_BATCH=auto
RUN command -v cc || (apt-get update && apt-get install -y --no-install-recommends gcc libc6-dev) || true
RUN node packages/transport/dist/build-addons.js $([ "$UDP_BATCH" = require ] && echo --require)
RUN rm -rf packages/*/native packages/test-kit node_modules/@tandem/test-kit packages/*/src packages/*/bench services/*/src cli/src \
    tsconfig*.json packages/*/tsconfig.json services/*/tsconfig.json cli/tsconfig.json \
  && find packages services cli -path '*/dist/*' \( -name '*.d.ts' -o -name '*.map' -o -name '.tsbuildinfo' \) -delete \
  && find . -type d -empty -delete && chmod 755 cli/dist/main.js

# What the image adds to its base, as it will lie there.
COPY deploy/healthcheck.mjs /image/app/healthcheck.mjs
COPY deploy/kubernetes /image/app/kubernetes
RUN cp -a package.json sbom.json node_modules packages services cli /image/app/ \
  && mkdir -p /image/usr/local/bin /image/etc/tandem /data \
  && cp "$(readlink -f "$(command -v node)")" /image/usr/local/bin/node \
  && sed -i '1s|.*|#!/usr/local/bin/node|' /image/app/cli/dist/main.js \
  && ln -s /app/cli/dist/main.js /image/usr/local/bin/tandem

FROM ${RUNTIME_BASE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=tandem \
    org.opencontainers.image.licenses=MIT \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${REVISION} \
    org.cyclonedx.sbom=/app/sbom.json
ENV NODE_ENV=production \
    TANDEM_EDGE_HTTP_ADDRESS=0.0.0.0 \
    TANDEM_LOCATION_BIND_ADDRESS=0.0.0.0 \
    TANDEM_POLICY_BIND_ADDRESS=0.0.0.0 \
    TANDEM_RECORDS_BIND_ADDRESS=0.0.0.0 \
    TANDEM_CONSOLE_HTTP_ADDRESS=0.0.0.0 \
    TANDEM_RECORDS_FILE=/var/lib/tandem/cdr.ndjson
COPY --from=build /image /
COPY --from=build --chown=10001:10001 /data /var/lib/tandem
WORKDIR /var/lib/tandem
USER 10001:10001
ENTRYPOINT ["/usr/local/bin/node", "/app/cli/dist/main.js"]

# edge.bindAddress must be set to the container's own address: other edges reach the internal listener there.
FROM runtime AS edge
EXPOSE 5060/udp 5060/tcp 5061/tcp 5066/tcp 5067/tcp 5150/tcp 9464/tcp
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s CMD ["/usr/local/bin/node", "/app/healthcheck.mjs", "edge"]
CMD ["run", "edge", "--config", "/etc/tandem/tandem.yaml"]

FROM runtime AS location
EXPOSE 50051/tcp 9564/tcp
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s CMD ["/usr/local/bin/node", "/app/healthcheck.mjs", "location"]
CMD ["run", "location", "--config", "/etc/tandem/tandem.yaml"]

FROM runtime AS policy
EXPOSE 50052/tcp 9565/tcp
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s CMD ["/usr/local/bin/node", "/app/healthcheck.mjs", "policy"]
CMD ["run", "policy", "--config", "/etc/tandem/tandem.yaml"]

FROM runtime AS records
VOLUME /var/lib/tandem
EXPOSE 9566/tcp
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s CMD ["/usr/local/bin/node", "/app/healthcheck.mjs", "records"]
CMD ["run", "records", "--config", "/etc/tandem/tandem.yaml"]

# Beyond loopback it wants tokens: TANDEM_CONSOLE_BIND_ADDRESS=0.0.0.0 with console.tokens. Certificate and audit log are kept in data/.
FROM runtime AS console
EXPOSE 8080/tcp 8081/tcp 9567/tcp
VOLUME /var/lib/tandem
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s CMD ["/usr/local/bin/node", "/app/healthcheck.mjs", "console"]
CMD ["run", "console", "--config", "/etc/tandem/tandem.yaml"]

# Without arguments: the quick start. With arguments: that verb, e.g. `docker run --rm tandem doctor`.
FROM runtime AS tandem
ENV TANDEM_EDGE_BIND_ADDRESS=0.0.0.0
COPY examples/quickstart.yaml /etc/tandem/tandem.yaml
VOLUME /var/lib/tandem
EXPOSE 5060/udp 5060/tcp 5061/tcp 5066/tcp 5067/tcp 5160/udp 5160/tcp 5161/tcp 5166/tcp 5167/tcp 9464/tcp 9465/tcp 9564/tcp 9565/tcp 9566/tcp 50051/tcp 50052/tcp
HEALTHCHECK --interval=10s --timeout=10s --start-period=40s CMD ["/usr/local/bin/node", "/app/healthcheck.mjs", "edge"]
CMD ["up", "--config", "/etc/tandem/tandem.yaml"]
