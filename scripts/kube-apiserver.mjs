// SPDX-License-Identifier: MIT
//
// `npm run kube-apiserver`: what test/deploy/kube needs and no package brings. Builds the API server of Kubernetes from its Go module, and takes
// the definitions of cert-manager, the Prometheus operator and External Secrets from theirs, all into .cache/kube. Wants Go ≥ 1.24, the
// network, 2 GB of disk and some minutes (a quarter of an hour on two slow cores). TANDEM_KUBE_APISERVER names a binary that is there already.
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fail, isOnPath, ROOT, runQuietly, say } from './bootstrap.mjs'

const VERSION = 'v1.34.0'
const TARGET = join(ROOT, '.cache', 'kube')
const BINARY = join(TARGET, 'kube-apiserver')
const MINUTE = 60_000

/** Module → version, and the files of it that define what the chart renders. */
const DEFINITIONS = {
  'github.com/cert-manager/cert-manager': ['v1.18.2', 'deploy/crds/crd-certificates.yaml'],
  'github.com/prometheus-operator/prometheus-operator': [
    'v0.85.0',
    'example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml',
    'example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml',
    'example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml',
  ],
  'github.com/external-secrets/external-secrets': [
    'v0.19.2',
    'config/crds/bases/external-secrets.io_externalsecrets.yaml',
  ],
}

const modules = join(TARGET, 'modules')
const env = { ...process.env, CGO_ENABLED: '0', GOFLAGS: '-mod=mod', GOMODCACHE: process.env.GOMODCACHE ?? modules }

function go(args, cwd, minutes) {
  if (runQuietly('go', args, { cwd, env, timeoutMs: minutes * MINUTE }) !== 0) fail(`go ${args.join(' ')} failed`)
}

function build() {
  const set = ['gitVersion', VERSION, 'gitMajor', '1', 'gitMinor', VERSION.split('.')[1]]
  const flags = [0, 2, 4].map((at) => `-X k8s.io/component-base/version.${set[at]}=${set[at + 1]}`)
  go(
    ['build', '-p', '2', '-ldflags', `-s -w ${flags.join(' ')}`, '-o', BINARY, '.'],
    join(ROOT, 'scripts/kube-apiserver'),
    60,
  )
}

function takeDefinitions() {
  const folder = join(TARGET, 'definitions')
  mkdirSync(folder, { recursive: true })
  for (const [module, [version, ...files]] of Object.entries(DEFINITIONS)) {
    go(['mod', 'download', `${module}@${version}`], TARGET, 10)
    for (const file of files) {
      copyFileSync(join(env.GOMODCACHE, `${module}@${version}`, file), join(folder, file.split('/').at(-1)))
    }
  }
}

if (!isOnPath('go')) fail('there is no `go` on the PATH: install Go 1.24 or later')
mkdirSync(TARGET, { recursive: true })
say(`definitions of cert-manager, the Prometheus operator and External Secrets → ${TARGET} …`)
takeDefinitions()
if (process.argv.includes('--definitions')) process.exit(0)
say(`kube-apiserver ${VERSION} → ${BINARY} …`)
build()
say(`${BINARY} is there; the tests find it. They want etcd too: Debian's etcd-server`)
