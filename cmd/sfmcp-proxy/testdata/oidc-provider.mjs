// An identity provider that nobody here wrote, certified for OpenID Connect, with two people
// of a company: so that the company's sign-in does not only work with our own simulator of one.
//
//   node oidc-provider.mjs LIBRARY REDIRECT_URI CLIENT_ID CLIENT_SECRET
//
// It prints {"issuer": …} once it answers. A line {"subject": …, "groups": […]} on its standard
// input changes the groups of a person, and is answered {"done": true}; it ends with the input.
import { createServer } from 'node:http'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

console.info = console.error // the standard output is the test's
const [library, redirectURI, clientID, clientSecret] = process.argv.slice(2)
const { Provider, interactionPolicy } = await import(pathToFileURL(library).href)
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')

const people = {
  'u-avery': { username: 'avery', password: 'approve-Avery-1', name: 'Avery Okafor', groups: ['everybody', 'sales-approvers'] },
  'u-noor': { username: 'noor', password: 'watch-Noor-1', name: 'Noor Haddad', groups: ['everybody'] },
}

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const key = (type, options, alg) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }), use: 'sig', alg, kid: alg })
const policy = interactionPolicy.base()
policy.remove('consent') // the client is the company's own

const provider = new Provider(issuer, {
  clients: [{
    client_id: clientID, client_secret: clientSecret, redirect_uris: [redirectURI],
    response_types: ['code'], grant_types: ['authorization_code'], id_token_signed_response_alg: 'ES256',
  }],
  jwks: { keys: [key('rsa', { modulusLength: 2048 }, 'RS256'), key('ec', { namedCurve: 'P-256' }, 'ES256')] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  scopes: ['openid', 'profile', 'groups'],
  claims: { profile: ['name'], groups: ['groups'] },
  conformIdTokenClaims: false, // claims of scopes in the id token, as companies have it
  acrValues: ['urn:acme:mfa', 'urn:acme:password'],
  features: { devInteractions: { enabled: false } },
  interactions: { policy, url: (_, interaction) => `/interaction/${interaction.uid}` },
  async findAccount(_, id) {
    const person = people[id]
    return person && { accountId: id, claims: async () => ({ sub: id, name: person.name, groups: person.groups }) }
  },
  async loadExistingGrant(ctx) {
    const grant = new ctx.oidc.provider.Grant({ clientId: ctx.oidc.client.clientId, accountId: ctx.oidc.session.accountId })
    grant.addOIDCScope('openid profile groups')
    await grant.save()
    return grant
  },
})

// The sign-in page: the library leaves it to whoever runs it.
const page = '<!doctype html><title>Sign in</title><form method="post"><input name="username">' +
  '<input name="password" type="password"><input type="checkbox" name="mfa" value="yes"><button>Sign in</button></form>'

async function interaction(req, res) {
  await provider.interactionDetails(req, res) // throws for a browser in which nothing was begun
  if (req.method !== 'POST') return res.setHeader('content-type', 'text/html').end(page)
  let body = ''
  for await (const chunk of req) body += chunk
  const form = new URLSearchParams(body)
  const accountId = Object.keys(people).find((id) => people[id].username === form.get('username') && people[id].password === form.get('password'))
  const acr = form.has('mfa') ? 'urn:acme:mfa' : 'urn:acme:password'
  const result = accountId ? { login: { accountId, acr } } : { error: 'access_denied' }
  await provider.interactionFinished(req, res, result, { mergeWithLastSubmission: false })
}

const answer = provider.callback()
server.on('request', (req, res) => {
  if (!req.url.startsWith('/interaction/') || req.url.split('/').length > 3) return answer(req, res)
  interaction(req, res).catch((error) => {
    res.statusCode = 400
    res.end(String(error))
  })
})
provider.on('server_error', (_, error) => console.error(error))
say({ issuer })

for await (const line of createInterface({ input: process.stdin })) {
  const { subject, groups } = JSON.parse(line)
  people[subject].groups = groups
  say({ done: true })
}
process.exit(0)
