// Package link keeps a user's Salesforce login: one per org and Salesforce user,
// shared by the grants of all that user's clients. It owns the tables links and
// upstream_revocations.
//
// A link's tokens are sealed, each for its row. Nothing else in the proxy stores a
// Salesforce token, and [Store.Token] is the only way to one. It remembers an access token,
// unsealed and in memory only, until a refresh is due: reading and opening it takes longer
// than all that policy has to say about a call. What ends a link raises the access epoch,
// which ends that too (db.Cache); [Store.Refused], a refresh and a new login forget it.
//
// # Refreshing
//
// Salesforce rotates refresh tokens: an answered refresh ends the token it used, at
// once. Two refreshes at the same time, or an answer that is lost, therefore end the
// link. So:
//
//   - One refresh per link and version. In the process it is work that callers
//     share and none of them can cancel. Across processes it is a lease in the row,
//     renewed while its holder lives and free to take 8 s after it died. It begins when its
//     statement has a connection, not when that began to wait for one; and with less than a
//     third of it left nothing is sent, because the answer has to be stored before it ends.
//   - Who takes over a lease that has ended watches the row for 1.5 s before, which its holder has
//     to renew it or to store its answer. Time in which nobody could do that (this process had
//     no CPU, the database did not answer) does not count: the watch begins anew. After
//     it the token is sent within a second, or not at all.
//   - A holder renews its lease and stores its answer by connections that nobody waits for but
//     holders ([db.DB.Urgent]), and tries again every 250 ms, an answer for five minutes. A
//     process holds at most 64 leases for an org at a time, and the others wait.
//   - The version is a fencing number. It rises with each change of tokens, and every
//     statement that ends a refresh names the version it began with. Who finds another
//     version has lost: its new token is revoked at Salesforce and the winner's is used.
//   - Taking the lease is the first write. It proves that the database takes writes and
//     records, before Salesforce is asked, that the token is being sent. If the database's
//     answer to it is lost, nothing is sent, and the record is taken back: the row is what it
//     was before.
//   - The new refresh token is committed before the new access token is used.
//   - The row counts how often its refresh token was sent without an answer. Two such
//     times is the end: one that was lost or died with its process, and one more try.
//
// What ends a refresh decides what follows. A definite no (salesforce.Dead) or an
// answer that is not believed (salesforce.Refused) makes the link needs_reauth at once,
// and nothing is sent again. Salesforce being down makes a pause of at least 10 s, noted
// in the row for all processes; meanwhile the access token is used until it expires.
// The pause is the breaker: it opens with the first failure, for all callers and all
// processes, and lets one request through when it is over, so no link is asked for more
// than six times a minute; up to 2 s of it are random. A key host that lags behind, a
// wrong clock or a wrong setting is such a pause too: what happens to all users at once
// must not cost them their logins.
// A refresh begins ahead of expiry, while callers go on with the token they have. A
// stored access token that does not open is replaced by a refresh; a refresh token that
// does not open makes the link needs_reauth.
//
// Why a login is lost, or waits, is kept in the row ([Failure]), for the person's page and
// the operator's list.
//
// # Revoking
//
// Refresh tokens that are not used any more (replaced, revoked, refused, arrived after
// the link was revoked) go to a queue in the same transaction. [Store.RunRevocations]
// tells Salesforce, with backoff, until it has been told. Local effect never waits.
//
// The package does not sign people in, does not know grants, and does not write the
// audit log: Config.OnEvent tells who does.
package link
