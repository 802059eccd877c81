// Package notice tells people that something waits for them: by webhooks and by mail.
//
// # What is told
//
// An [Event] about a request for approval or a budget, to each [Target] that wants it. A
// message says who asks through which client for which tool and object, who decides, until
// when, and has the link to the page. It never has arguments, and its link opens nothing:
// whoever follows it signs in first.
//
// # The queue
//
// The table notices has a row for each event and target, so that a message is sent after a
// restart, and by one of several replicas. [Courier.Run] looks every second which requests
// wait and which were decided ([Source]), and adds the rows that are missing: nothing on the
// way of a call waits for the queue, and nothing is lost that a crash comes between. Rows hold
// the id of the request; what is said is put together when it is sent, from what is then true.
//
//	waiting ─→ sent
//	   │
//	   ├─────→ failed: refused for good, or not taken for a day
//	   └─────→ moot: decided before it could be told, or nobody's target any more
//
// A call that was approved and waits again is told of again, and so is how that ends: its rows have
// behind its id how often it has come to wait again. A target that this process does not know may be
// one of a newer configuration that another process has: its messages are nobody's once they have been
// due for a day.
//
// Whoever sends takes the row first, by one conditional statement that moves its next attempt
// into the future. A process that dies while it sends leaves the row to be sent again, so a
// message may come twice, under the same id.
//
// # What a target can do to us
//
// Answers are read up to 64 KiB and not repeated anywhere; redirects are not followed;
// addresses inside special-use networks are connected to only where the target's
// allow_addresses has them (tunnel.Guard). Each target has its own pace, [PerMinute], and its
// own worker, so that a slow one holds up none of the others.
package notice
