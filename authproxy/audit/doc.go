// Package audit owns the audit log: who did what, on whose behalf, by which rule,
// and how it ended. It is a durable stream of its own and not a log level.
//
// The log only grows. Entries are numbered from 1 without a gap, and each carries a
// MAC (HMAC-SHA-256) over the MAC before it and its own stored bytes, under a key
// derived from the sealing key ring. The number and MAC of the last entry are kept,
// sealed, in the row "audit_head" of the table meta. So [Log.Verify] notices an
// entry that was edited, removed, inserted or moved, and a tail that was cut off,
// by somebody who can write to the database but does not hold the key ring. It does
// not notice that the whole database was put back to an earlier state; a running
// [Log] does, because it remembers the last number that it wrote.
//
// [Log.Append] returns when the entry is on disk. Callers that append at the same
// time share one transaction: the first one commits for all that queued up behind
// it. The head is read inside the write transaction, so several processes may
// append to one log.
//
// [Log.Call] writes both entries of what is recorded before it happens, its intent and its
// outcome, so that nobody pairs them by hand. [Actions] lists what is recorded and when;
// who did it is an [actor.Actor], stored as its text with its kind beside it.
//
// [Log.AppendLater] does not wait. It is for one kind of entry, how a read ended: the
// intent of that read was on disk before it was forwarded, nothing in Salesforce depends on
// how it ended, and waiting would make every answer pay for a second disk write that no
// decision waits for. A process that is killed within some milliseconds leaves the intent
// without its outcome, which says what is true: that it is not known. Such an entry keeps
// its place in the order, is committed with the next group or by itself after 5 ms, is
// read by every method of the same Log, and is flushed when the program ends; there are at
// most 256, then callers wait as in Append. How a write ended is appended before its client
// is answered.
//
// Entries are bounded and safe to print: a field that is too long is cut and ends
// with its length and digest, control and formatting characters are stored as JSON
// escapes, and anything that looks like a credential is replaced (see [Redact]).
//
// The package does not decide what is recorded, does not prune, and does not send
// entries elsewhere; Export writes the lines that a collector can ship.
package audit
