// SPDX-License-Identifier: MIT
// Emergency plans as edges get them: when a stream opens, when the resources change, and taken back.
import { expect, test } from 'vitest'
import { DOCUMENTS, resourcesOf } from '../policy-fixture.ts'
import { FakeEdge, HOST, trunkDocument, trunkWorld } from './trunk-fixture.ts'

const API = { apiVersion: 'tandem/v1' }
const emergencyDocuments = (numbers: readonly string[]) => [
  trunkDocument({ maxCalls: 1 }),
  { ...API, kind: 'TrunkGroup', metadata: { name: 'out' }, spec: { trunks: [{ trunk: 'carrier' }] } },
  {
    ...API,
    kind: 'NumberPlan',
    metadata: { name: 'germany' },
    spec: { country: '49', national: '0', outsideLine: '9', emergency: { numbers, trunkGroup: 'out' } },
  },
  {
    ...API,
    kind: 'Domain',
    metadata: { name: 'office.test' },
    spec: { aliases: ['alias.test'], numberPlan: 'germany' },
  },
]

test('every edge has the ways of all emergency numbers, without record, bounds and caller', async () => {
  const world = await trunkWorld(...emergencyDocuments(['112', '110']))
  const node = world.node()
  const edge = new FakeEdge(node)
  node.hooks.onStreamOpen?.('edge-0.1')
  const plans = edge.plans.at(-1)?.plans ?? []
  expect(plans.map(({ numbers }) => numbers)).toEqual([
    ['112', '9112'],
    ['110', '9110'],
  ])
  const [first] = plans
  expect([...(first?.domains ?? [])].sort()).toEqual(['alias.test', 'office.test'])
  expect(first?.plan).toMatchObject({ accounting: false, stateless: false })
  const target = first?.plan?.steps[0]?.targets[0]
  expect(target?.where?.value).toContain('sip:112@192.0.2.9:5060')
  expect(target?.trunkLeg).toMatchObject({ trunk: 'carrier', host: HOST, asks: false })
  node.replaceResources(await resourcesOf([...DOCUMENTS, ...emergencyDocuments(['112'])]))
  expect(edge.plans.at(-1)?.plans).toHaveLength(1)
  node.replaceResources(await resourcesOf(DOCUMENTS))
  expect(edge.plans.at(-1)?.plans).toEqual([])
})

test('where there are none, nothing is told', async () => {
  const node = (await trunkWorld()).node()
  const edge = new FakeEdge(node)
  node.hooks.onStreamOpen?.('edge-0.1')
  node.replaceResources(await resourcesOf(DOCUMENTS))
  expect(edge.plans).toEqual([])
})
