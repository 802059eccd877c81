// A strict OAuth client against the authorization server, from the endpoint's URL on.
//
//   node oauth4webapi.mjs LIBRARY MCP_URL CLIENT_ID REDIRECT_URI
//
// What only a browser or the database can do it asks for, one line of JSON out, one
// line of text in: {"visit": URL, "decision": "allow" or "deny"} is answered with the
// callback URL, {"pass": "grace"} once the grace window of every rotation is over.
// Each check that held is {"held": what}; the exit status is 0 when all did.
import assert from 'node:assert/strict'
import { createInterface } from 'node:readline'
import { pathToFileURL } from 'node:url'

const [library, endpoint, clientID, redirectURI] = process.argv.slice(2)
const oauth = await import(pathToFileURL(library).href)
const loopback = { [oauth.allowInsecureRequests]: true } // http on loopback; nothing else is relaxed
const resource = new URL(endpoint)
const client = { client_id: clientID }
const publicClient = oauth.None()

const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')
const ask = async (line) => {
  say(line)
  return (await answers.next()).value
}
const held = (what) => say({ held: what })

// call opens an MCP session: 200, or the status and challenge of a refusal.
async function call(accessToken) {
  const headers = new Headers({ 'content-type': 'application/json', accept: 'application/json, text/event-stream' })
  const initialize = JSON.stringify({
    jsonrpc: '2.0', id: 1, method: 'initialize',
    params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'oauth4webapi', version: '1' } },
  })
  try {
    const response = await oauth.protectedResourceRequest(accessToken, 'POST', resource, headers, initialize, loopback)
    await response.text()
    return { status: response.status }
  } catch (error) {
    if (!(error instanceof oauth.WWWAuthenticateChallengeError)) throw error
    return { status: error.status, challenge: error.cause[0] }
  }
}

async function opens(accessToken, when) {
  assert.deepEqual(await call(accessToken), { status: 200 }, when)
}

async function dead(accessToken, when) {
  const { status, challenge } = await call(accessToken)
  assert.equal(status, 401, when)
  assert.equal(challenge.scheme, 'bearer', when)
  assert.equal(challenge.parameters.error, 'invalid_token', when)
}

async function refused(promise, code, when) {
  await assert.rejects(promise, (error) => {
    assert.ok(error instanceof oauth.ResponseBodyError, `${when}: ${error}`)
    assert.equal(error.error, code, when)
    assert.equal(error.status, 400, when)
    return true
  }, when)
}

async function discover() {
  const missing = await fetch(endpoint, { method: 'POST', body: '{}', headers: { 'content-type': 'application/json' } })
  assert.equal(missing.status, 401)
  assert.match(missing.headers.get('www-authenticate'), /^Bearer resource_metadata="[^"]+"/)
  const server = await oauth.processResourceDiscoveryResponse(resource, await oauth.resourceDiscoveryRequest(resource, loopback))
  assert.equal(server.authorization_servers.length, 1)
  const issuer = new URL(server.authorization_servers[0])
  const as = await oauth.processDiscoveryResponse(issuer,
    await oauth.discoveryRequest(issuer, { algorithm: 'oauth2', ...loopback }))
  assert.deepEqual(as.code_challenge_methods_supported, ['S256'])
  assert.equal(as.authorization_response_iss_parameter_supported, true)
  return as
}

const as = await discover()
held('discovery')

// request is one authorization request up to its validated response.
async function request(decision = 'allow') {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: clientID, redirect_uri: redirectURI, response_type: 'code', scope: 'mcp offline_access', state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier), code_challenge_method: 'S256', resource: endpoint,
  })
  const back = new URL(await ask({ visit: url.href, decision }))
  return { back, state, verifier, validate: () => oauth.validateAuthResponse(as, client, back, state) }
}

const redeem = async (parameters, verifier, to = endpoint) => oauth.processAuthorizationCodeResponse(as, client,
  await oauth.authorizationCodeGrantRequest(as, client, publicClient, parameters, redirectURI, verifier,
    { additionalParameters: { resource: to }, ...loopback }))

const refresh = async (refreshToken) => oauth.processRefreshTokenResponse(as, client,
  await oauth.refreshTokenGrantRequest(as, client, publicClient, refreshToken,
    { additionalParameters: { resource: endpoint }, ...loopback }))

const revoke = async (token) => oauth.processRevocationResponse(
  await oauth.revocationRequest(as, client, publicClient, token, loopback))

async function signIn() {
  const { validate, verifier } = await request()
  const parameters = validate()
  const tokens = await redeem(parameters, verifier)
  assert.equal(tokens.token_type, 'bearer')
  assert.ok(tokens.expires_in > 0 && tokens.refresh_token)
  await opens(tokens.access_token, 'a fresh access token')
  return { tokens, parameters, verifier }
}

{
  const { validate } = await request('deny')
  assert.throws(validate, (error) => {
    assert.ok(error instanceof oauth.AuthorizationResponseError, String(error))
    assert.equal(error.error, 'access_denied')
    return true
  })
  held('a denial comes back with state and iss')
}

{
  const { back, state, validate, verifier } = await request()
  assert.equal(back.searchParams.get('iss'), as.issuer)
  assert.equal(back.searchParams.get('state'), state)
  const parameters = validate()
  await refused(redeem(parameters, oauth.generateRandomCodeVerifier()), 'invalid_grant', 'another verifier')
  await refused(redeem(parameters, verifier, endpoint + '-other'), 'invalid_target', 'another resource')
  held('a code needs its verifier and its resource')
}

{
  const { tokens: first } = await signIn()
  const second = await refresh(first.refresh_token)
  assert.notEqual(second.refresh_token, first.refresh_token)
  assert.notEqual(second.access_token, first.access_token)
  await opens(second.access_token, 'after a rotation')
  held('a refresh rotates')

  const again = await refresh(first.refresh_token)
  assert.equal(again.refresh_token, second.refresh_token)
  await opens(again.access_token, 'after a repeated rotation')
  const third = await refresh(second.refresh_token)
  assert.notEqual(third.refresh_token, second.refresh_token)
  held('within the grace window a rotated refresh token gets the same successor')

  await ask({ pass: 'grace' })
  await refused(refresh(first.refresh_token), 'invalid_grant', 'a replayed refresh token')
  await refused(refresh(third.refresh_token), 'invalid_grant', 'the newest one after a replay')
  for (const { access_token: token } of [first, second, again, third]) await dead(token, 'after a replay')
  held('after it a replay ends the connection')
}

{
  const { tokens, parameters, verifier } = await signIn()
  await refused(redeem(parameters, verifier), 'invalid_grant', 'a replayed code')
  await dead(tokens.access_token, 'after the code was replayed')
  await refused(refresh(tokens.refresh_token), 'invalid_grant', 'after the code was replayed')
  held('a replayed code ends the connection')
}

{
  const { tokens } = await signIn()
  const newer = await refresh(tokens.refresh_token)
  await revoke(tokens.access_token)
  await dead(tokens.access_token, 'revoked')
  await opens(newer.access_token, 'not the one that was revoked')
  await revoke(newer.refresh_token)
  await dead(newer.access_token, 'its refresh token was revoked')
  await refused(refresh(newer.refresh_token), 'invalid_grant', 'revoked')
  await revoke(newer.refresh_token) // RFC 7009 2.2: what is gone already is a success
  held('revocation')
}
process.exit(0)
