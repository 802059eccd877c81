// Package budget counts what is done under the budgets of policies (policy.Budget) and of
// orgs, and refuses what would be more than their limits.
//
// # Before a call, and after it
//
// [Store.Take] is asked right before a call is forwarded. What is known by then (calls,
// writes, deletes) is taken: of several calls that want the last unit one gets it, in
// whichever process. What is not known (rows, bytes) only must not be used up.
// [Taking.Add] counts it when the answer is there, before anybody gets the answer, and may
// go beyond the limit: the next call is refused. [Taking.GiveBack] returns what a call took
// that was not made after all.
//
// # Allotments
//
// The counts are in the database, so that restarts and replicas share them. Not every call
// writes there: a process takes a hundredth of a limit at a time, at least 1, and gives that
// out from memory. Of limits below 200 every unit is taken by itself. What was taken is
// durable before any of it is used, so no crash gives more than the limit; what a process
// that crashes has not used is lost until the window ends. One that ends in order returns it
// ([Store.Close]).
//
// # Windows
//
// A count has one row, whose window only moves forward: a clock that is put back by no more
// than a window counts on in the later one. See DESIGN.md.
//
// A count that cannot be read or written refuses the call.
package budget
