// SPDX-License-Identifier: MIT
//
// Stand-ins for the images that the Dockerfile and the compose file name, made of Debian packages and of the node that runs this: for machines that
// can not pull. An image that is there already stays. Left out: Grafana, which Debian does not have.
// Run: node test/images/stand-ins.mjs    Needs root, Docker and debootstrap; a minute or two.
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'

const DEBIAN = 'tandem-test-debian:bookworm'
const BASE = 'node:24-bookworm-slim'
const RUNTIME_BASE = 'gcr.io/distroless/cc-debian12:latest'
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt'
const LIBRARIES = ['libc6', 'libstdc++6', 'libgcc-s1', 'gcc-12-base', 'base-files', 'ca-certificates', 'tzdata']

const POSTGRES_ENTRYPOINT = `#!/bin/sh
set -e
export PATH="$PATH:$(ls -d /usr/lib/postgresql/*/bin)"
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s' "$POSTGRES_PASSWORD" > /tmp/password
  initdb -D "$PGDATA" -U "$POSTGRES_USER" --auth-host=scram-sha-256 --pwfile=/tmp/password
  echo 'host all all all scram-sha-256' >> "$PGDATA/pg_hba.conf"
  postgres --single -D "$PGDATA" postgres <<SQL
CREATE DATABASE $POSTGRES_DB
SQL
fi
exec "$@" -c listen_addresses='*' -c unix_socket_directories=/var/run/postgresql
`

/** What the compose file names besides our own images, as Dockerfiles over Debian. */
const SERVERS = {
  'redis:7.4-bookworm': `RUN apt-get install -y --no-install-recommends redis-server && install -d -o redis /data
WORKDIR /data
USER redis
CMD ["redis-server"]`,
  'postgres:17-bookworm': `RUN apt-get install -y --no-install-recommends postgresql && rm -rf /var/lib/postgresql/* && install -d -o postgres /var/lib/postgresql/data /var/run/postgresql
COPY entrypoint.sh /entrypoint.sh
ENV PGDATA=/var/lib/postgresql/data
USER postgres
ENTRYPOINT ["sh", "/entrypoint.sh"]
CMD ["postgres"]`,
  'prom/prometheus:v3.5.0': `RUN apt-get install -y --no-install-recommends prometheus && install -d -o nobody /prometheus
USER nobody
ENTRYPOINT ["prometheus"]
CMD ["--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]`,
}

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options })

function isThere(image) {
  try {
    execFileSync('docker', ['image', 'inspect', image], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

function importFolder(folder, image, ...changes) {
  const tar = join(folder, '..', 'image.tar')
  run('tar', ['-C', folder, '-cf', tar, '.'])
  run('docker', ['import', ...changes.flatMap((change) => ['--change', change]), tar, image])
  rmSync(tar)
}

/** Debian and the node and npm of this process. */
function makeNode(work) {
  const root = join(work, 'debian')
  run('debootstrap', ['--variant=minbase', '--include=ca-certificates', 'bookworm', root])
  if (!isThere(DEBIAN)) importFolder(root, DEBIAN)
  if (isThere(BASE)) return
  const bin = join(root, 'usr/local/bin')
  const node = realpathSync(process.execPath)
  cpSync(node, join(bin, 'node'))
  // Its headers, as Node's own image has them: the addons are compiled with them.
  cpSync(join(dirname(dirname(node)), 'include/node'), join(root, 'usr/local/include/node'), { recursive: true })
  const npm = dirname(dirname(realpathSync(run('sh', ['-c', 'command -v npm']).toString().trim())))
  mkdirSync(join(root, 'usr/local/lib/node_modules'), { recursive: true })
  cpSync(npm, join(root, 'usr/local/lib/node_modules/npm'), { recursive: true, dereference: true })
  for (const name of ['npm', 'npx']) symlinkSync(`../lib/node_modules/npm/bin/${name}-cli.js`, join(bin, name))
  // Whom this machine trusts: what npm talks to may be a mirror with an authority of its own.
  cpSync(AUTHORITIES, join(root, AUTHORITIES))
  importFolder(root, BASE, `ENV NODE_EXTRA_CA_CERTS=${AUTHORITIES}`)
}

/** The C and C++ libraries alone: no shell. */
function makeRuntime(work) {
  const [packages, root] = [join(work, 'packages'), join(work, 'runtime')]
  mkdirSync(packages)
  run('apt-get', ['download', '-q', ...LIBRARIES], { cwd: packages })
  for (const file of run('ls', [packages]).toString().trim().split('\n'))
    run('dpkg', ['-x', join(packages, file), root])
  importFolder(root, RUNTIME_BASE)
}

function makeServer(work, image, instructions) {
  const folder = mkdtempSync(join(work, 'server-'))
  writeFileSync(join(folder, 'entrypoint.sh'), POSTGRES_ENTRYPOINT)
  writeFileSync(join(folder, 'Dockerfile'), `FROM ${DEBIAN}\nRUN apt-get update\n${instructions}\n`)
  run('docker', ['build', '-q', '--network', 'host', '-t', image, folder])
}

const work = mkdtempSync(join(tmpdir(), 'tandem-stand-ins-'))
try {
  if (!isThere(DEBIAN) || !isThere(BASE)) makeNode(work)
  if (!isThere(RUNTIME_BASE)) makeRuntime(work)
  for (const [image, instructions] of Object.entries(SERVERS))
    if (!isThere(image)) makeServer(work, image, instructions)
} finally {
  rmSync(work, { recursive: true, force: true })
}
