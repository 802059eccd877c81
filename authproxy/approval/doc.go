// Package approval owns the calls that wait for a person.
//
// A call that policy answers with "confirm" is submitted with its [Binding]: who
// wants it (org and Salesforce user), through which client, on which server, which
// tool with which definition, the exact canonical arguments, and the policy version
// that asked for the person. The person sees the call on our own page and decides.
// The package never runs anything: the client repeats the same call, and that
// repeat spends the approval immediately before it is forwarded.
//
//	pending ─→ approved ─→ spent
//	   │           │
//	   └───────────┴─────→ denied (pending only), expired, void
//
// Every arrow is one conditional statement, so that of any number of racing callers
// in any number of processes exactly one wins. Only [Store.Unspend] goes back, for a
// call that provably never left.
//
// What a repeat of the same call meets (see [Store.Submit]):
//
//   - while pending or approved: the same request, not a second one;
//   - after a denial, until the request would have expired: the denial;
//   - after it was spent, for another lifetime: the outcome and the stored answer,
//     so that a client that lost the answer does not do the same thing twice;
//   - after that, or when the request is void or expired: a new request.
//
// What a request is, and that it is pending, approved or being made, is authentic or does not
// count (db.Approvals, db.ApprovalStates): a row that somebody else changed is not there, or void.
//
// The identifier of a request (apr_…) is a name and opens nothing. Who may see or
// decide a request is checked by the pages; policy, grant and stop are checked again
// by the caller at the moment of spending.
package approval
