// Package limit bounds what one user, and all users of a server together, can ask for.
//
// [Allowances] counts calls: how many a user may make in a minute and have under way at a
// time, over all clients and servers, and the same of all users of a server that has
// limits of its own (allowances.go). A call waits for its turn where too many are under way
// ([QueueTime]); a server's free place goes to the waiting user with the fewest calls
// under way (turns.go). A call beyond the rate is refused, and refusals are bounded
// themselves: how fast they are given and how many are recorded ([Allowance.HoldBack],
// [Allowance.RecordRefusal]). [Streams] counts open streams of notifications.
//
// The package keeps everything in memory: limits hold for one process, and a restart
// begins anew. It knows no requests and answers nobody.
package limit
