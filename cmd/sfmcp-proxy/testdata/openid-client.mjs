// A second strict OAuth client, the one that most Node programs use, against the
// authorization server. Where oauth4webapi.mjs takes each step by itself, this library
// takes whole flows, and is given answers that were tampered with on the way.
//
//   node openid-client.mjs LIBRARY MCP_URL CLIENT_ID REDIRECT_URI
//
// It talks to the test as oauth4webapi.mjs does.
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [library, endpoint, clientID, redirectURI] = process.argv.slice(2)
const client = await import(pathToFileURL(library).href)

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const ask = async (line) => {
  say(line)
  return (await answers.next()).value
}
const held = (what) => say({ held: what })

async function discover(algorithm) {
  const issuer = new URL(new URL(endpoint).origin)
  const config = await client.discovery(issuer, clientID, undefined, client.None(),
    { algorithm, execute: [client.allowInsecureRequests] }) // http on loopback; nothing else is relaxed
  const as = config.serverMetadata()
  assert.equal(as.issuer, issuer.origin)
  assert.ok(as.supportsPKCE('S256'))
  assert.equal(as.authorization_response_iss_parameter_supported, true)
  return config
}

const config = await discover('oauth2')
assert.deepEqual((await discover('oidc')).serverMetadata().token_endpoint, config.serverMetadata().token_endpoint)
held('discovery, by either document')

// open makes an MCP session: the status, or that of the refusal with its challenge.
async function open(accessToken) {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
  const initialize = JSON.stringify({
    jsonrpc: '2.0', id: 1, method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'openid-client', version: '6' } },
  })
  try {
    const response = await client.fetchProtectedResource(config, accessToken, new URL(endpoint), 'POST', initialize, headers)
    await response.text()
    return response.status
  } catch (error) {
    if (!(error instanceof client.WWWAuthenticateChallengeError)) throw error
    assert.equal(error.cause[0].parameters.error, 'invalid_token')
    return error.response.status
  }
}

async function refused(promise, code, when) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof client.ResponseBodyError, `${when}: ${error}`)
    assert.equal(error.error, code, when)
    return true
  }, when)
}

async function authorize(decision = 'allow') {
  const checks = { pkceCodeVerifier: client.randomPKCECodeVerifier(), expectedState: client.randomState() }
  const url = client.buildAuthorizationUrl(config, {
    redirect_uri: redirectURI, scope: 'mcp offline_access', resource: endpoint, state: checks.expectedState,
    code_challenge: await client.calculatePKCECodeChallenge(checks.pkceCodeVerifier), code_challenge_method: 'S256',
  })
  return { back: new URL(await ask({ visit: url.href, decision })), checks }
}

const redeem = ({ back, checks }) => client.authorizationCodeGrant(config, back, checks, { resource: endpoint })
const refresh = (token) => client.refreshTokenGrant(config, token, { resource: endpoint })

// tampered is an answer whose parameter somebody changed, or took away.
function tampered({ back, checks }, name, value) {
  const url = new URL(back)
  if (value === undefined) url.searchParams.delete(name)
  else url.searchParams.set(name, value)
  return { back: url, checks }
}

{
  const answer = await authorize()
  for (const [name, value] of [['state', 'another'], ['state', undefined], ['iss', 'https://evil.example'], ['iss', undefined], ['response', 'x']]) {
    await assert.rejects(redeem(tampered(answer, name, value)), (error) => {
      assert.ok(error instanceof client.ClientError, `${name}=${value}: ${error}`)
      return true
    }, `${name}=${value}`)
  }
  const tokens = await redeem(answer) // none of these reached the server
  assert.equal(tokens.token_type, 'bearer')
  assert.equal(tokens.scope, 'mcp offline_access')
  assert.ok(tokens.expiresIn() > 0)
  assert.equal(await open(tokens.access_token), 200)
  held('state and iss are checked before the code is used')

  await refused(redeem(answer), 'invalid_grant', 'a replayed code')
  assert.equal(await open(tokens.access_token), 401)
  await refused(refresh(tokens.refresh_token), 'invalid_grant', 'after a replayed code')
  held('a replayed code ends the connection')
}

{
  await assert.rejects(authorize('deny').then(redeem), (error) => {
    assert.ok(error instanceof client.AuthorizationResponseError, String(error))
    assert.equal(error.error, 'access_denied')
    return true
  })
  held('a denial')
}

{
  const answer = await authorize()
  const other = { ...answer, checks: { ...answer.checks, pkceCodeVerifier: client.randomPKCECodeVerifier() } }
  await refused(redeem(other), 'invalid_grant', 'another verifier')
  held('another verifier')
}

{
  const first = await redeem(await authorize())
  let newest = first
  for (let i = 0; i < 3; i++) {
    const next = await refresh(newest.refresh_token)
    assert.notEqual(next.refresh_token, newest.refresh_token)
    newest = next
  }
  assert.equal(await open(newest.access_token), 200)
  assert.equal((await refresh(first.refresh_token)).refresh_token, newest.refresh_token)
  held('rotation, with the grace that a lost answer needs')

  await ask({ pass: 'grace' })
  await refused(refresh(first.refresh_token), 'invalid_grant', 'a replayed refresh token')
  await refused(refresh(newest.refresh_token), 'invalid_grant', 'the newest after a replay')
  assert.equal(await open(newest.access_token), 401)
  held('after it a replay ends the connection')
}

{
  const tokens = await redeem(await authorize())
  await client.tokenRevocation(config, tokens.refresh_token, { token_type_hint: 'refresh_token' })
  assert.equal(await open(tokens.access_token), 401)
  await refused(refresh(tokens.refresh_token), 'invalid_grant', 'revoked')
  await client.tokenRevocation(config, tokens.refresh_token)
  held('revocation')
}
process.exit(0)
