// Package approval owns the calls that wait for a person.
//
// A call that policy answers with "confirm" is submitted with its [Binding]: who
// wants it (org and Salesforce user), through which client, on which server, which
// tool with which definition, the exact canonical arguments, the policy version
// that asked for the person, and who is asked how (policy.Confirmation).
// People see the call on our own page and decide.
// The package never runs anything: the client repeats the same call, and that
// repeat spends the approval immediately before it is forwarded.
//
//	pending ─→ approved ─→ spent
//	   │           │
//	   └───────────┴─────→ denied, countered (pending only), expired, void
//
// Every arrow is one conditional statement, so that of any number of racing callers
// in any number of processes exactly one wins. Back go only [Store.Unspend], for a
// call that provably never left, and [Store.Spend], to pending, where somebody who agreed may
// no longer do so, or saw of the record what is not there any more.
//
// A pending request is approved by the [Decision] with which every [Factor] is met: so many
// people of each role that is asked. A person counts once, for one factor. Each decision is a
// row, and what is authentic of the request names the rows that it has: none is taken away or
// put back, and of two that are written at a time the second is judged with the first.
//
// What a repeat of the same call meets (see [Store.Submit]):
//
//   - while pending or approved: the same request, not a second one;
//   - after a denial, for a lifetime: the denial, with what the person said of it;
//   - after a counter-proposal ([Store.Counter]), as long, unless nothing came of it: the call
//     that was proposed in its place, which is a request of its own;
//   - after it was spent, for another lifetime: the outcome and the stored answer,
//     so that a client that lost the answer does not do the same thing twice; the answer is
//     for the connection that made the call;
//   - after that, or when the request is void or expired: a new request.
//
// What a request is, that it is pending, approved or being made, and who agreed is authentic or
// does not count (db.Approvals, db.ApprovalStates, db.ApprovalDecisions): a row that somebody else changed is not there, or void.
//
// The identifier of a request (apr_…) is a name and opens nothing. Who may see or
// decide a request is checked by the pages; policy, grant and stop are checked again
// by the caller at the moment of spending.
package approval
