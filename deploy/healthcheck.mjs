// SPDX-License-Identifier: MIT
//
// HEALTHCHECK of the images: asks the service's own /readyz. Exit status 0 when it answers 200, else 1 with a sentence.
// It follows TANDEM_*_HTTP_PORT and TANDEM_EDGE_INDEX, as the service does, but not a port set in the cluster file.
const DEFAULT_PORTS = { edge: 9464, location: 9564, policy: 9565, records: 9566, console: 9567 }
const TIMEOUT_MS = 2_500

/** HTTP port of the service on this machine. */
function httpPort(service, env) {
  const port = Number(env[`TANDEM_${service.toUpperCase()}_HTTP_PORT`] || DEFAULT_PORTS[service])
  return service === 'edge' ? port + Number(env.TANDEM_EDGE_INDEX || 0) : port
}

/** Undefined when the service is ready, else why it is not. */
async function problemOf(service, env) {
  if (!Object.hasOwn(DEFAULT_PORTS, service)) return `expected one of ${Object.keys(DEFAULT_PORTS).join(', ')}`
  const url = `http://127.0.0.1:${httpPort(service, env)}/readyz`
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) })
    return response.ok ? undefined : `${url} answered ${response.status}`
  } catch (error) {
    return `${url} does not answer (${error.cause?.code ?? error.name})`
  }
}

const problem = await problemOf(process.argv[2] ?? '', process.env)
if (problem !== undefined) console.error(problem)
process.exitCode = problem === undefined ? 0 : 1
