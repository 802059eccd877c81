// A client built on one of MCP's TypeScript packages, for a test that says what to do.
//
//   node client.mjs ERA URL TOKEN MODULE...
//
// MODULE... are the files of the package that have Client and its transport. ERA is
// legacy, auto, or a protocol version that must be spoken; the old package knows
// legacy alone. Out comes {"version": negotiated}, and then for each line in, which is
// {"list": true} or {"call": {"name": …, "arguments": …}}, one line with "result" or
// "error", as a JSON-RPC response has them.
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [era, endpoint, token, ...modules] = process.argv.slice(2)
const { Client, StreamableHTTPClientTransport } = Object.assign({}, ...(await Promise.all(modules.map((file) => import(pathToFileURL(file).href)))))
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')

const mode = era === 'legacy' || era === 'auto' ? era : { pin: era }
const client = new Client({ name: 'typescript', version: '1' }, { versionNegotiation: { mode } })
const transport = new StreamableHTTPClientTransport(new URL(endpoint), { requestInit: { headers: { authorization: `Bearer ${token}` } } })
await client.connect(transport)
say({ version: client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion })

for await (const line of createInterface({ input: process.stdin })) {
  const { call } = JSON.parse(line)
  try {
    say({ result: call ? await client.callTool(call) : await client.listTools() })
  } catch ({ code, message }) {
    say({ error: { code: Number.isInteger(code) ? code : 0, message: `${code}: ${message}` } }) // the package's own codes are words
  }
}
await client.close()
