// Package export gives the audit log to what a company looks at logs with: in other formats
// ([Writer]), and continuously to destinations ([Couriers]).
//
// # Following the log
//
// Each destination has a position in each log, the number of the last entry that it took, in
// the table export_positions. A courier reads from the log's files what stands behind it, sends
// that as a batch, and moves the position by one conditional statement after the receiver has
// said that it has all of it. So nothing is lost by a crash, by a receiver that is down for
// days or by one that answers and breaks; what was taken and not noted is sent again, in the same
// order, and each entry has a key, its log and number, by which receivers drop what comes twice.
// An entry that a receiver refuses for itself holds up those behind it, and is named; nothing
// is left out until a person moves the position.
//
// Of processes that have one log, such as the old and the new one of an upgrade, the one that
// has the destination's lease sends. Replicas have logs of their own, so each sends its own.
//
// No call waits for any of this: the log itself is what is queued, and a batch is all that is
// in memory. Entries that are older than audit.keep are removed from the log whether they were
// taken or not; that is an entry itself.
//
// # People
//
// Entries have pseudonyms in place of people, and what else they say about them is left out,
// unless the configuration has personal: true for the destination. Then it is decrypted as it
// is sent, never before: who was erased meanwhile is under the pseudonym in an attempt that is
// made again, too. What a receiver was given before stays with it; the entry subject.erase tells
// it.
package export
