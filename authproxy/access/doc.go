// Package access knows who may use what: the MCP servers of this proxy, the Salesforce
// orgs they stand in front of, the groups that may use them, the users who are blocked,
// and the kill switch. [Control] is asked by everything that lets somebody in:
//
//	mcpforward     [Control.Admit]    may this access token call this server now?
//	authproxy      [Control.MayUse]   may this person have a grant for this server?
//	console        [Control.Person]   who is signed in, and not blocked?
//	               [Control.ServersOf] which servers may that person connect to?
//	command line   [Control.FindUsers], [Control.Principal] and [Control.MayUse]
//
// so that two of them cannot answer differently.
//
// # What is checked at a call
//
// [Control.Admit] checks the token, its audience and expiry, that its grant is alive, the
// user not blocked and the client still accepted (those are package grant's, which
// remembers them, see db.Cache), and then against the configuration: that the server
// exists, that the grant was given in the server's org and for its present URL, that the
// user is in one of its groups, and that the grant has the scope. It costs no read of the
// database beyond those of package grant. A call is admitted when it comes and once more
// right before it is forwarded: what was true then may have ended while its body arrived
// or while it waited for its turn.
//
// Absence denies: a server that lists no groups is nobody's, a kill switch that cannot be
// read stops everything.
//
// # What is known once
//
// A [Server] is one endpoint, in the same words for every part. The grammar of its name
// ([ValidServerName]) and the form of the public URL ([ValidatePublicURL]) are checked
// here; package config asks the same functions, and the parts take both from Control
// without a check of their own.
//
// # Why it stands above package grant
//
// Every answer but the configured ones begins with a grant or with a row of the users,
// and what is admitted is a grant. Reaching package grant through an interface would need
// a copy of its Grant and User here, or an adapter at every place that makes a Control, and
// would hide nothing: so access is a layer of its own between the stores and the packages
// that face the outside. The rows of users stay in package grant, because a block ends the
// user's grants in the same transaction, and a new grant looks at the block in its own.
package access
