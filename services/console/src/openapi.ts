// SPDX-License-Identifier: MIT
//
// The definition as an OpenAPI 3.1 document. docs/reference/openapi.json is generated from it; REST serves it.
import { type Field, type Message, type Method, messageOf, methods, paramsOf } from './definition.ts'
import { CONSOLE_ERRORS } from './errors.ts'
import { MESSAGES } from './gen/definition.ts'

type Schema = Readonly<Record<string, unknown>>

const SCALARS: Readonly<Record<string, Schema>> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  number: { type: 'integer', minimum: 0, maximum: 4_294_967_295 },
  double: { type: 'number' },
  bigint: { type: 'integer', format: 'int64' },
  bytes: { type: 'string', contentEncoding: 'base64' },
  map: { type: 'object', additionalProperties: { type: 'string' } },
  document: { type: 'object', description: 'The document; its schema is /schemas/resources.json.' },
}

const reference = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` })

function schemaOf({ type, isRepeated, doc }: Field): Schema {
  const one = SCALARS[type] ?? reference(type)
  const shape = isRepeated ? { type: 'array', items: one } : one
  return doc === '' ? shape : { ...shape, description: doc }
}

function messageSchema({ doc, fields }: Message): Schema {
  const properties = Object.fromEntries(
    fields.map((field) => [field.type === 'document' ? 'document' : field.name, schemaOf(field)]),
  )
  return { type: 'object', ...(doc && { description: doc }), properties, additionalProperties: false }
}

const PLACE = {
  file: { type: 'string' },
  line: { type: 'integer', minimum: 1 },
  column: { type: 'integer', minimum: 1 },
  path: { type: 'string', description: 'Such as spec.hosts[0].port.' },
}

const ERROR: Schema = {
  type: 'object',
  required: ['error'],
  properties: {
    error: {
      type: 'object',
      required: ['code', 'message', 'todo'],
      properties: {
        code: {
          type: 'string',
          description: `Stable. ${Object.keys(CONSOLE_ERRORS).join(', ')}, or a code of location or policy.`,
        },
        message: { type: 'string' },
        where: { type: 'object', properties: PLACE },
        todo: { type: 'string', description: 'What to do.' },
        problems: {
          type: 'array',
          items: { type: 'object', properties: { ...PLACE, code: { type: 'string' }, expected: { type: 'string' } } },
        },
      },
    },
  },
}

function parametersOf(method: Method): Schema[] {
  const inPath = new Set(paramsOf(method.path))
  const isBody = method.verb === 'POST'
  return messageOf(method.request)
    .fields.filter(({ name }) => inPath.has(name) || !isBody)
    .map((field) => {
      const { description, ...schema } = schemaOf(field)
      const place = inPath.has(field.name) ? { in: 'path', required: true } : { in: 'query' }
      return { name: field.name, ...place, ...(description !== undefined && { description }), schema }
    })
}

const APPLY_BODIES = {
  'application/yaml': {
    schema: { type: 'string', description: 'Documents; options stand in the query, and `file` for their name.' },
  },
  'application/x-ndjson': {
    schema: { type: 'string', description: '{"file": …, "text": …} a line; options stand in the query.' },
  },
}

function requestBody({ verb, request, path }: Method): Schema {
  const rest = messageOf(request).fields.filter(({ name }) => !paramsOf(path).includes(name))
  if (verb !== 'POST' || rest.length === 0) return {}
  const json = {
    schema:
      rest.length === messageOf(request).fields.length ? reference(request) : messageSchema({ doc: '', fields: rest }),
  }
  return { requestBody: { content: { 'application/json': json, ...(request === 'ApplyRequest' && APPLY_BODIES) } } }
}

const answer = (description: string, schema: Schema): Schema => ({
  description,
  content: { 'application/json': { schema } },
})

function operation(method: Method): Schema {
  return {
    operationId: method.name,
    summary: method.doc,
    description: `Role: ${method.role}.${method.isAudited ? ' Stands in the audit log.' : ''}`,
    parameters: parametersOf(method),
    ...requestBody(method),
    responses: { 200: answer('Done.', reference(method.response)), default: answer('Not done.', reference('Error')) },
    'x-tandem-role': method.role,
  }
}

/** The whole document. */
export function openApi(): Schema {
  const paths: Record<string, Record<string, Schema>> = {}
  for (const method of methods) {
    if (method.verb === '') continue
    paths[method.path] = { ...paths[method.path], [method.verb.toLowerCase()]: operation(method) }
  }
  const schemas = Object.fromEntries(Object.entries(MESSAGES).map(([name, message]) => [name, messageSchema(message)]))
  return {
    openapi: '3.1.0',
    info: {
      title: 'Tandem admin API',
      version: 'v1',
      license: { name: 'MIT', identifier: 'MIT' },
      description:
        'Resources, calls, accounts, bans and registrations of a Tandem cluster. The same calls as gRPC: proto/tandem/admin/v1.',
    },
    servers: [{ url: 'http://127.0.0.1:8080' }],
    security: [{ token: [] }],
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: { ...schemas, Error: ERROR },
    },
  }
}
