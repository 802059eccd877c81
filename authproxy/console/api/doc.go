// Package api answers programs under /console/api/v1: what the pages of the security team show
// and do, as JSON.
//
// [Routes] is the one table of what there is, with the roles that may use it; the OpenAPI document
// ([Document]) is made from it, and nothing is served that does not stand there. What is read comes
// from package oversight, and what is done is done by authproxy.Cutoff and authproxy.Definitions,
// as on the pages; each act is in the audit log in the name of the token.
//
// A program shows a token of package apitoken in the Authorization header. No cookie opens
// anything here, so a page in somebody's browser can do nothing by it, and there is no need for
// form secrets; only the description is shown to people, too. Without a good token every address
// answers 401, whether there is something or not.
//
// What the pages leave to people alone is not here: deciding about a call that waits, and making
// tokens.
//
//	api.go       what is needed, addresses
//	auth.go      who may ask, how often
//	routes.go    the table
//	call.go      one request: body, If-Match, Idempotency-Key, answer
//	input.go     queries, bodies, pages of lists
//	problem.go   answers that say what is wrong (RFC 9457)
//	document.go  the OpenAPI document; schema.go the schemas of types
//	people.go, connections.go, tools.go, policy.go, entries.go, insights.go, reviews.go,
//	evidence.go, settings.go
//	             the routes by what they are about
package api
