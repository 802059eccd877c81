// A client on MCP's TypeScript package, as its authors mean it: it finds the authorization
// server by itself, has a person sign in, lists the tools and calls one.
//
//   node sdkflow.mjs URL CLIENT_ID REDIRECT_URI PACKAGE
//
// PACKAGE is the folder of the package, of any version since 1.11. An empty CLIENT_ID makes
// it register itself. Out comes {"visit": URL}; the line in is where the person came back
// to. Then {"version": negotiated}, {"tools": [names]}, {"text": of a query's result}.
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const [endpoint, clientId, redirectUrl, folder] = process.argv.slice(2)
const load = (file) => import(pathToFileURL(join(folder, 'dist', 'esm', 'client', file)).href)
const { Client } = await load('index.js')
const { StreamableHTTPClientTransport } = await load('streamableHttp.js')
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()

let client = clientId ? { client_id: clientId } : undefined
let tokens, verifier
const provider = {
  redirectUrl,
  clientMetadata: { client_name: 'TypeScript SDK', redirect_uris: [redirectUrl], token_endpoint_auth_method: 'none', grant_types: ['authorization_code', 'refresh_token'], response_types: ['code'] },
  clientInformation: () => client,
  saveClientInformation: (made) => { client = made },
  tokens: () => tokens,
  saveTokens: (got) => { tokens = got },
  redirectToAuthorization: (address) => say({ visit: address.href }),
  saveCodeVerifier: (made) => { verifier = made },
  codeVerifier: () => verifier,
}

const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(endpoint), { authProvider: provider })
  const c = new Client({ name: 'typescript', version: '1' })
  try {
    await c.connect(transport)
  } catch (fault) {
    if (tokens) throw fault
    const back = new URL((await lines.next()).value)
    await transport.finishAuth(back.searchParams.get('code'))
    return connect()
  }
  say({ version: transport.protocolVersion ?? 'unknown' })
  return c
}

const c = await connect()
say({ tools: (await c.listTools()).tools.map((tool) => tool.name).sort() })
const result = await c.callTool({ name: 'soqlQuery', arguments: { q: 'SELECT Id, Name FROM Account LIMIT 2' } })
say({ text: result.content.map((part) => part.text).join('') })
await c.close()
process.exit(0)
