// Package grant keeps what an OAuth authorization server must remember: the authorization
// requests that are under way, the grants people gave, and the codes and tokens that stand
// for a grant. It also keeps the users that were seen, and which of them are blocked.
//
// A [Grant] is the consent of one user to one client for one MCP endpoint; it is the
// unit of revocation, and people read it as "connection". Everything that a client
// holds is random text of 256 bits (prefix sfc_ code, sfa_ access token, sfr_ refresh
// token) of which the database has the SHA-256 alone; it is good exactly as long as
// its grant is, so that one UPDATE cuts a client off.
//
// An [AuthorizationRequest] goes pending → sent → done, or pending → denied. Each
// step is one conditional statement, bound to the browser that opened the request
// (and from sent on to the cookie that was set when the user was sent to Salesforce).
//
// A code is redeemed once; a second valid presentation revokes the grant (RFC 9700
// 2.1.1, OAuth 2.1 4.1.3). A refresh token rotates with each use. Within the grace
// window its predecessor gets the family's present leaf again, never a second one;
// outside of it the family, which is the grant, is revoked (RFC 9700 4.14.2). For
// that the successor lies sealed beside its predecessor, under a key derived from the
// predecessor itself: neither a copy of the database nor the sealing keys open it.
//
// A grant that was made but not yet redeemed expires with its code; redeeming it sets
// the absolute lifetime. So "live" always means: not revoked, not expired, user not
// blocked, client still accepted by the configuration. How a client came to be is package
// client's; here it is an id, and [Clients] says whether it may exist.
//
// [Store.Authenticate] and [Store.Alive] are asked at every call, most of the time twice.
// They remember what they read (db.Cache), so every method that takes access away, or moves
// a username, by which groups and rules go, raises the access epoch in its transaction.
//
// Rows that open something are authentic or do not count (db.Guard): each type of row has one
// function covered, which the writer and the reader of its MAC share.
//
// A [Store] is the grants with their codes and tokens. The authorization requests are a
// type of their own, [Requests]: a table that nothing else but [Store.Sweep] touches, and steps
// that end before there is a grant. So are the rows of users with the list of the blocked
// (userRows), which a block, a sign-in and a new grant write in their own transactions.
//
// What it does not do: speak HTTP, talk to Salesforce, decide who may use which server
// (package access), or write the audit log.
package grant
