// SPDX-License-Identifier: MIT
//
// Tables and resources of other systems as ours: what comes out holds together, and what is not understood is said, line by line.
// Not tested here: files on disk (run.ts reads them), what each remark of rare columns says.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { loadResources } from '@tandem/resources'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { importRoutr } from './routr.ts'
import { prefixOfRule } from './routr-numbers.ts'
import { hostFrom } from './sip-uri.ts'
import { importKamailio, type KamailioTablesOf } from './testing.ts'
import { reportLine, textsOf, writeImport } from './write.ts'

type Made = ReturnType<typeof importRoutr>

const documents = (made: Made) =>
  [...textsOf(made).values()]
    .flat()
    .map((text) => parse(text) as { kind: string; metadata: { name: string }; spec: Record<string, unknown> })
const named = (made: Made, kind: string, name: string) =>
  documents(made).find((one) => one.kind === kind && one.metadata.name === name)
const remarks = (made: Made) => made.remarks.map(reportLine)

async function holdsTogether(made: Made): Promise<string[]> {
  const loaded = await loadResources(documents(made), { baseDir: '.', env: {} })
  return loaded.ok ? [] : loaded.problems.map(({ path, expected }) => `${path}: ${expected}`)
}

const kamailio = (tables: KamailioTablesOf, e164 = false): Made => importKamailio(tables, { e164 })

describe('Kamailio and OpenSIPS', () => {
  const HA1 = 'd41d8cd98f00b204e9800998ecf8427e'

  it('subscribers become Subscribers and Domains; a broken line is said, the others are taken', async () => {
    const made = kamailio({
      subscriber: `id\tusername\tdomain\tpassword\tha1\tha1b\tvmpin\n1\talice\ta.test\t\t${HA1}\t${HA1}\t12\n2\tbob\ta.test\tNULL\tshort\t\t\n3\t+4930123\tb.test\thush\t\t\t\n`,
    })
    expect(documents(made).map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual([
      'Domain a.test',
      'Domain b.test',
      'Subscriber alice',
      'Subscriber 4930123',
    ])
    expect(named(made, 'Subscriber', 'alice')?.spec).toEqual({ credentials: { username: 'alice', ha1: { md5: HA1 } } })
    expect(named(made, 'Subscriber', '4930123')?.spec).toMatchObject({ usernames: ['+4930123'] })
    expect(remarks(made)).toEqual([
      'subscriber.csv:1: not understood: the column vmpin is not read: nothing here corresponds to it',
      'subscriber.csv:3: not understood: expected 32 hexadecimal digits in ha1_md5',
    ])
    expect(JSON.stringify([documents(made), remarks(made)])).not.toContain('hush')
    expect(await holdsTogether(made)).toEqual([])
  })

  it('dispatcher sets become groups of trunks', async () => {
    const made = kamailio({
      dispatcher:
        'id,setid,destination,flags,priority,attrs,description\n1,1,sip:192.0.2.1:5080,0,5,weight=70;maxload=20,one\n2,1,sip:gw.test;transport=tls,8,0,"weight=30;socket=udp:10.0.0.1:5060",\n3,1,sip:192.0.2.9;transport=sctp,0,0,,\n4,2,sip:192.0.2.3,1,0,,off\n',
    })
    expect(named(made, 'TrunkGroup', 'dispatcher-1')?.spec).toEqual({
      trunks: [
        { trunk: 'dispatcher-1-1', priority: 0, weight: 70 },
        { trunk: 'dispatcher-1-2', priority: 5, weight: 30 },
      ],
      order: 'weight',
    })
    expect(named(made, 'Trunk', 'dispatcher-1-1')?.spec).toEqual({
      hosts: [{ host: '192.0.2.1', port: 5080 }],
      maxCalls: 20,
    })
    expect(named(made, 'Trunk', 'dispatcher-1-2')?.spec).toEqual({
      hosts: [{ host: 'gw.test', transport: 'tls' }],
      probe: {},
    })
    expect(named(made, 'Trunk', 'dispatcher-2-1')?.spec).toMatchObject({ enabled: false })
    expect(remarks(made)).toContain('dispatcher.csv:4: not understood: destination sip:192.0.2.9;transport=sctp')
    expect(remarks(made)).toContain('dispatcher.csv:3: attribute socket is not read: nothing here corresponds to it')
    expect(await holdsTogether(made)).toEqual([])
  })

  it('gateways, carriers and rules become trunks, groups and routes', async () => {
    const made = kamailio(
      {
        drGateways:
          'gwid,type,address,strip,pri_prefix,attrs,probe_mode,state,description\ngw1,0,192.0.2.1:5070,0,,,2,0,first\ngw2,0,"sip:192.0.2.2,192.0.2.3",2,0049,,0,0,\ngw3,0,not a host,0,,,0,0,\n',
        drCarriers: 'carrierid,gwlist,flags,sort_alg,state\ncr1,"gw1=10,gw2=20",0,W,0\n',
        drRules:
          'ruleid,groupid,prefix,timerec,priority,routeid,gwlist,sort_alg,attrs\n1,0,49,,0,,#cr1,N,\n2,0,,,0,,"gw2,gw9,gw1",N,\n3,"1,2",44,,10,,gw1,N,\n4,0,1,20040101T083000|10H|weekly,0,,gw1,N,\n5,0,99,,0,7,gw8,N,\n6,0,4930,,0,,gw1,N,x\n',
        address:
          'grp,ip,mask,port,proto,pattern,context_info\n1,192.0.2.1,32,0,any,,\n1,198.51.100.0,24,5060,tcp,,carrier\n1,nonsense,32,0,any,,\n',
      },
      true,
    )
    expect(named(made, 'TrunkGroup', 'carrier-cr1')?.spec).toMatchObject({
      order: 'weight',
      trunks: [
        { trunk: 'gateway-gw1', weight: 10 },
        { trunk: 'gateway-gw2', weight: 20 },
      ],
    })
    expect(named(made, 'Trunk', 'gateway-gw2')?.spec).toMatchObject({
      hosts: [{ host: '192.0.2.2' }, { host: '192.0.2.3' }],
      numbersOut: { form: 'e164WithoutPlus', strip: 2, prefix: '0049' },
    })
    expect(named(made, 'Route', 'rule-1')?.spec).toMatchObject({ prefix: '+49', trunkGroup: 'carrier-cr1' })
    expect(named(made, 'Route', 'rule-2')?.spec).toMatchObject({ prefix: '*', trunkGroup: 'rule-2' })
    expect(named(made, 'Route', 'rule-3-1')?.spec).toMatchObject({
      prefix: '+44',
      from: { labels: { 'dr-group': '1' } },
    })
    expect(named(made, 'Trunk', 'gateway-gw1')?.spec).toMatchObject({ inbound: 'allow', probe: {} })
    expect(named(made, 'Trunk', 'address-1')?.spec).toMatchObject({
      enabled: false,
      inbound: 'allow',
      sources: [{ range: '198.51.100.0/24', transports: ['tcp'] }],
    })
    const said = remarks(made).join('\n')
    for (const text of [
      'drGateways.csv:4: not understood: address not a host of gateway gw3',
      'drRules.csv:3: not understood: there is no gateway gw9',
      'drRules.csv:5: rule 4 holds at times alone',
      'drRules.csv:6: rule 5 leads to no gateway that is known: left out',
      'drRules.csv:7: rule 6: attrs x is not read',
      'address.csv:4: not understood: nonsense',
      'address.csv:3: port 5060 is not read',
    ])
      expect(said).toContain(text)
    expect(await holdsTogether(made)).toEqual([])
  })

  it('a table without its columns ends with a sentence', () => {
    expect(() => kamailio({ dispatcher: '1,sip:192.0.2.1\n' })).toThrow(
      /dispatcher.csv:1: expected a line of column names with setid/,
    )
  })
})

const V2 = `
- apiVersion: v2beta1
  kind: Domain
  ref: d1
  metadata: { name: Local }
  spec: { accessControlListRef: acl1, context: { domainUri: Sip.Local, egressPolicies: [{ rule: '.*', numberRef: n1 }, { rule: '^(a|b)$', numberRef: n1 }] } }
- { kind: Credentials, ref: c1, spec: { credentials: { username: '1001', password: hush } } }
- { kind: Credentials, ref: c2, spec: { credentials: { username: pbx, password: quiet } } }
- { kind: AccessControlList, ref: acl1, spec: { accessControlList: { deny: [0.0.0.0/1], allow: [192.0.2.0/24] } } }
- { kind: Agent, ref: a1, metadata: { name: John }, spec: { username: '1001', domainRef: d1, credentialsRef: c1, privacy: Private } }
- kind: Trunk
  ref: t1
  metadata: { name: Carrier }
  spec:
    inbound: { uri: t.acme.test, accessControlListRef: acl1 }
    outbound:
      sendRegister: true
      credentialsRef: c2
      uris:
        - { uri: { user: pbx, host: sip.carrier.test, port: 7060, transport: udp }, priority: 10, weight: 10, enabled: true }
        - { uri: { host: old.carrier.test, transport: udp }, enabled: false }
- { kind: Peer, ref: p1, spec: { aor: 'backend:voice', username: fs, credentialsRef: c2, loadBalancing: { algorithm: round-robin } } }
- { kind: Number, ref: n1, spec: { trunkRef: t1, location: { telUrl: 'tel:+1 (706) 604-1487', aorLink: 'sip:1001@sip.local', extraHeaders: [] } } }
- { kind: Number, ref: n2, spec: { trunkRef: t1, location: { telUrl: 'tel:+17066041488', aorLink: 'backend:voice' } } }
- { kind: Number, ref: n3, spec: { location: { telUrl: 'tel:911', aorLink: 'sip:1001@sip.local' } } }
- { kind: Conference, ref: x }
`

describe('Routr', () => {
  it('v2: domains, agents, trunks, peers, numbers and egress policies', async () => {
    const made = importRoutr([{ file: 'r.yaml', text: V2 }])
    expect(named(made, 'Subscriber', '1001')).toMatchObject({
      metadata: { domain: 'sip.local' },
      spec: { credentials: { password: 'hush' } },
    })
    expect(named(made, 'Trunk', 't1')?.spec).toEqual({
      hosts: [{ host: 'sip.carrier.test', port: 7060, transport: 'udp', priority: 10, weight: 10 }],
      inbound: 'allow',
      sources: ['192.0.2.0/24'],
      credentials: { username: 'pbx', password: 'quiet' },
      registration: { registrar: 'sip:sip.carrier.test:7060;transport=udp', user: 'pbx' },
    })
    expect(named(made, 'Number', '17066041487')?.spec).toEqual({
      number: '+17066041487',
      domain: 'sip.local',
      to: { subscriber: '1001' },
      trunks: ['t1'],
    })
    expect(named(made, 'Number', '17066041488')?.spec).toMatchObject({ to: { subscriber: 'fs' } })
    expect(named(made, 'Route', 'sip.local-all')?.spec).toEqual({
      prefix: '*',
      from: { domains: ['sip.local'] },
      trunk: 't1',
    })
    const said = remarks(made).join('\n')
    for (const text of [
      'r.yaml: Conference x: not understood: kind Conference',
      'r.yaml: Domain d1: its access control list (acl1) is not read',
      'r.yaml: Domain d1: egress policy ^(a|b)$: left out',
      'r.yaml: AccessControlList acl1: deny 0.0.0.0/1 is not read',
      'r.yaml: Agent a1: privacy Private is not read',
      'r.yaml: Trunk t1: host old.carrier.test is disabled: left out',
      'r.yaml: Number n3: left out: tel:911 is no number in E.164',
      'r.yaml: Peer p1: it registers as sip:fs@sip.local now',
    ])
      expect(said).toContain(text)
    expect(said).not.toMatch(/hush|quiet/)
    expect(await holdsTogether(made)).toEqual([])
  })

  it('v1: gateways, DIDs, agents of several domains', async () => {
    const text = `
- { apiVersion: v1beta1, kind: Domain, metadata: { name: Home }, spec: { context: { domainUri: sip.local, egressPolicy: { rule: '^\\+1.*', didRef: dd1 } } } }
- { apiVersion: v1beta1, kind: Agent, metadata: { name: John }, spec: { credentials: { username: john, secret: '1234' }, domains: [sip.local] } }
- { apiVersion: v1beta1, kind: Gateway, metadata: { name: Provider, ref: gw1 }, spec: { credentials: { username: me, secret: s3 }, host: sip.provider.test, transport: tcp, registries: [a.test] } }
- { apiVersion: v1beta1, kind: DID, metadata: { ref: dd1, gwRef: gw1 }, spec: { location: { telUrl: 'tel:+17066041487', aorLink: 'sip:john@sip.local' } } }
`
    const made = importRoutr([{ file: 'v1.yml', text }])
    expect(named(made, 'Trunk', 'gw1')?.spec).toMatchObject({
      hosts: [{ host: 'sip.provider.test', transport: 'tcp' }],
      registration: { user: 'me' },
    })
    expect(named(made, 'Route', 'sip.local-1')?.spec).toMatchObject({ prefix: '+1', trunk: 'gw1' })
    expect(named(made, 'Number', '17066041487')?.spec).toMatchObject({ to: { subscriber: 'john' }, trunks: ['gw1'] })
    expect(await holdsTogether(made)).toEqual([])
  })

  it.each([
    ['.*', '*'],
    ['^\\+49.*', '+49'],
    ['^00\\d*', '00'],
    ['^(1|2).*', undefined],
    ['^911$', undefined],
  ])('the rule %s is prefix %s', (rule, prefix) => expect(prefixOfRule(rule)).toBe(prefix))
})

it.each([
  ['sip:a.test:5070;transport=tcp', { host: 'a.test', port: 5070, transport: 'tcp' }],
  ['sips:a.test', { host: 'a.test', transport: 'tls' }],
  ['udp:[2001:db8::1]:5060', { host: '[2001:db8::1]', port: 5060, transport: 'udp' }],
  ['192.0.2.1', { host: '192.0.2.1' }],
  ['sip:a.test:99999', undefined],
  ['sip:a.test;transport=ws', undefined],
])('the address %s', (text, expected) => expect(hostFrom(text)).toEqual(expected))

it('a folder gets one file a kind and the report, for its owner alone; a folder that is there is left alone', async () => {
  const parent = mkdtempSync(join(tmpdir(), 'tandem-import-'))
  const out = join(parent, 'new')
  const said: string[] = []
  const output = { print: () => undefined, complain: (text: string) => void said.push(text), out }
  await writeImport(importRoutr([{ file: 'r.yaml', text: V2 }]), output)
  expect(readdirSync(out)).toEqual([
    'domains.yaml',
    'numbers.yaml',
    'report.txt',
    'routes.yaml',
    'subscribers.yaml',
    'trunks.yaml',
  ])
  expect(statSync(join(out, 'subscribers.yaml')).mode & 0o777).toBe(0o600)
  expect(said.at(-1)).toBe('1 Domain, 2 Subscriber, 1 Trunk, 2 Number, 1 Route; 12 remarks')
  expect(readFileSync(join(out, 'report.txt'), 'utf8').split('\n')).toHaveLength(13)
  await expect(writeImport(importRoutr([{ file: 'r.yaml', text: V2 }]), output)).rejects.toThrow(/there already/)
  rmSync(parent, { recursive: true })
})
