# SPDX-License-Identifier: MIT
#
# One image per service, and `tandem` for the whole cluster in one container and for the command line:
#   docker build --target edge -t tandem-edge .        (targets: edge, location, policy, records, console, tandem)
#   docker buildx build --platform linux/amd64,linux/arm64 --target edge …
# All targets hold the same files; they differ in what runs. BASE must bring Node >= 22.18 and npm.
# A container runs as user 10001 and writes to /var/lib/tandem only, so its root may be read-only.
# node is process 1 and takes SIGTERM itself: it drains, then stops. Settings and traps: docs/operations/README.md.
ARG BASE=node:24-bookworm-slim

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

FROM ${BASE} AS runtime
ARG VERSION=0.1.0
ARG REVISION=unknown
LABEL org.opencontainers.image.title=tandem \
    org.opencontainers.image.licenses=MIT \
    org.opencontainers.image.version=${VERSION} \
    org.opencontainers.image.revision=${REVISION} \
    org.cyclonedx.sbom=/app/sbom.json
# Nothing of the base that the programs do not need: no package manager, so that nothing can be added to a running container.
RUN rm -rf /usr/local/lib/node_modules/npm /usr/local/lib/node_modules/corepack /usr/local/bin/npm /usr/local/bin/npx /usr/local/bin/corepack /opt/yarn* \
  && rm -rf /var/lib/apt/lists/* /var/cache/apt/*
ENV NODE_ENV=production \
    TANDEM_EDGE_HTTP_ADDRESS=0.0.0.0 \
    TANDEM_LOCATION_BIND_ADDRESS=0.0.0.0 \
    TANDEM_POLICY_BIND_ADDRESS=0.0.0.0 \
    TANDEM_RECORDS_BIND_ADDRESS=0.0.0.0 \
    TANDEM_CONSOLE_HTTP_ADDRESS=0.0.0.0 \
    TANDEM_RECORDS_FILE=/var/lib/tandem/cdr.ndjson
COPY --from=build /app /app
COPY deploy/healthcheck.mjs /app/healthcheck.mjs
COPY deploy/kubernetes /app/kubernetes
RUN ln -s /app/cli/dist/main.js /usr/local/bin/tandem \
  && mkdir -p /etc/tandem /var/lib/tandem && chown 10001:10001 /var/lib/tandem
WORKDIR /var/lib/tandem
USER 10001:10001
ENTRYPOINT ["node", "/app/cli/dist/main.js"]

# edge.bindAddress must be set to the container's own address: other edges reach the internal listener there.
FROM runtime AS edge
EXPOSE 5060/udp 5060/tcp 5061/tcp 5066/tcp 5067/tcp 5150/tcp 9464/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/healthcheck.mjs", "edge"]
CMD ["run", "edge", "--config", "/etc/tandem/tandem.yaml"]

FROM runtime AS location
EXPOSE 50051/tcp 9564/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/healthcheck.mjs", "location"]
CMD ["run", "location", "--config", "/etc/tandem/tandem.yaml"]

FROM runtime AS policy
EXPOSE 50052/tcp 9565/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/healthcheck.mjs", "policy"]
CMD ["run", "policy", "--config", "/etc/tandem/tandem.yaml"]

FROM runtime AS records
VOLUME /var/lib/tandem
EXPOSE 9566/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/healthcheck.mjs", "records"]
CMD ["run", "records", "--config", "/etc/tandem/tandem.yaml"]

# Beyond loopback it wants tokens: TANDEM_CONSOLE_BIND_ADDRESS=0.0.0.0 with console.tokens. Certificate and audit log are kept in data/.
FROM runtime AS console
EXPOSE 8080/tcp 8081/tcp 9567/tcp
VOLUME /var/lib/tandem
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/healthcheck.mjs", "console"]
CMD ["run", "console", "--config", "/etc/tandem/tandem.yaml"]

# Without arguments: the quick start. With arguments: that verb, e.g. `docker run --rm tandem doctor`.
FROM runtime AS tandem
ENV TANDEM_EDGE_BIND_ADDRESS=0.0.0.0
COPY examples/quickstart.yaml /etc/tandem/tandem.yaml
VOLUME /var/lib/tandem
EXPOSE 5060/udp 5060/tcp 5061/tcp 5066/tcp 5067/tcp 5160/udp 5160/tcp 5161/tcp 5166/tcp 5167/tcp 9464/tcp 9465/tcp 9564/tcp 9565/tcp 9566/tcp 50051/tcp 50052/tcp
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s CMD ["node", "/app/healthcheck.mjs", "edge"]
CMD ["up", "--config", "/etc/tandem/tandem.yaml"]
