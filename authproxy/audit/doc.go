// Package audit owns the audit log: who did what, on whose behalf, by which rule,
// and how it ended. It is a durable stream of its own and not a log level.
//
// # The log
//
// The log is a directory of files that only grow ([sfmcp-proxy/authproxy/audit/logfile]), apart
// from the database, so that whoever holds one of the two does not hold both. Where a machine has no
// disk that lasts it is rows of the database ([sfmcp-proxy/authproxy/audit/logrows]), which are what the
// files would be. Entries are
// numbered from 1 without a gap; each is one line of JSON. They are the leaves of a Merkle tree
// (RFC 6962; [sfmcp-proxy/authproxy/audit/tree]), so one hash, the root, stands for all of them in
// their order. A checkpoint is the log's name, the number of entries and the root, signed with
// Ed25519 keys derived from the sealing keys (C2SP tlog-checkpoint). Whoever keeps a checkpoint
// and the public key can tell, without any secret, whether a copy of the log is the one that was
// written, or has only grown since ([VerifyFiles]).
//
// An entry ends with a MAC of itself and the log's name under a key of the same ring (vouch.go), so entries that no checkpoint has
// signed yet are known, too: whoever can write where the log is, and has no key, adds none. What another process
// appends is looked at when it is heard of, and what a crash has left unsigned at the start.
//
// A checkpoint is stored every few seconds, every 1,000 entries and when a process that wrote
// ends ([Log.Run], [Log.Close]): in the log's directory, in the database, and beside the key
// file, in this order. At start [Log.Agree] compares the log with all three and these with each
// other: a log that was cut, changed, exchanged or deleted, and a database that was put back
// to an earlier state, are a [*Disagreement], and the proxy does not serve until a person has
// acknowledged it ([Log.Acknowledge]), which is an entry itself. A running process that finds
// an older checkpoint where it had stored a newer one appends nothing more.
//
// The database's checkpoint also says up to which entry the database is what the log says
// ([Log.Applied]): what was taken away behind it is taken away again before anything is served
// (authproxy.Cutoff.Reapply).
//
// # Writing
//
// [Log.Append] returns when the entry is on disk. Callers that append at the same time share
// one write and one sync: the first one writes for all that queued up behind it. Several
// processes, and products of one process, may append to one log.
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
// its place in the order, is written with the next group or by itself after 5 ms, is
// read by every method of the same Log, and is flushed when the program ends; there are at
// most 256, then callers wait as in Append. How a write ended is appended before its client
// is answered.
//
// What an entry says about a person is encrypted under a key of that person, and the person has a
// pseudonym in it (personal.go; DESIGN.md has the table of members). Without the key, which
// [Persons.Erase] deletes, nobody reads it, and the log verifies as before.
//
// Entries are bounded and safe to print: a field that is too long is cut and ends
// with its length and digest, control and formatting characters are stored as JSON
// escapes, and anything that looks like a credential is replaced (see [Redact]).
//
// # Reading
//
// [Log.List], [Log.Export] and [Log.Count] ask an index
// ([sfmcp-proxy/authproxy/audit/postings]): that of the segment that is being written is in
// memory, those of full segments lie beside them. An index is never the truth: what it finds is
// read and compared before it is shown (Count only counts it), and one that is missing or does not
// fit is made again from its segment.
// A log that is damaged is read as far as it is sound.
//
// Segments whose entries are all older than they are kept are removed ([Log.Prune]); what is left
// verifies from the signed checkpoint in its first line. Entries that earlier versions kept in
// the database become the first ones, once (takeover.go).
//
// The package does not decide what is recorded, and does not send entries elsewhere:
// [sfmcp-proxy/authproxy/audit/export] does, by [Log.Read].
package audit
