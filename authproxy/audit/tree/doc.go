// Package tree is the Merkle tree over the audit log (RFC 6962, section 2): what proves to
// somebody who was given one hash that a record is in the log, and that the log has only
// grown since. It imports nothing of ours, so that a reader of the log needs nothing of ours
// either; the hashes are those of golang.org/x/mod/sumdb/tlog, the signatures those of
// golang.org/x/mod/sumdb/note, the texts those of the C2SP specifications signed-note,
// tlog-checkpoint, tlog-cosignature and tlog-proof.
//
// A leaf is [tlog.RecordHash] of a record's bytes, without the newline after it. Leaves are
// counted from 0: the record with the number 1 is the leaf 0.
//
//   - [Frontier] is the right edge of the tree: the writer of the log keeps one and appends to it.
//   - [Checkpoint] says how long the log is and what its root is; [NewSigner] signs it,
//     [ParseCheckpoint] reads it back by the public key alone; [Cosignatures] says which witnesses
//     have seen it.
//   - [ProveInclusion], [ProveConsistency] and their checks prove one record, and growth.
//   - [Proof] is the file that shows one record to somebody who has nothing but the public key.
//   - [Tiles] writes the tree as files, so that [TileHashes] has the hashes for a proof without
//     hashing the whole log, and any client of a tiled log can read it (C2SP tlog-tiles).
package tree
