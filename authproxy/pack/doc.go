// Package pack makes one thing to hand over of entries of the audit log, and checks it where
// nothing of ours is: no database, no secret, no network, only the log's public key.
//
// A pack is a directory, or a tar archive of its files:
//
//	entries.jsonl   records of the log, byte for byte, one a line
//	proofs.jsonl    for each of them its place in the log: the hashes of RFC 6962, 2.1.1
//	checkpoint      what the proofs lead to, signed by the log (C2SP tlog-checkpoint)
//	readable.jsonl  the same entries with what they say about people
//	…               what the program made of them besides
//	manifest.json   what the pack is of, counts, and the SHA-256 of each of these files
//
// The manifest names every file and is named by none of them. What binds it is the log: that the
// pack was made is an entry which holds the manifest's SHA-256. That entry and its proof
// (manifest.entry, manifest.tlog-proof) lie beside it, so nobody without the log's key can
// exchange a file, leave an entry out or add one, and whoever made the pack is on record.
//
// [Create] and [Builder] write one; [Verify] checks one that may come from anybody: it reads each
// file in a stream, within [Bounds], and believes nothing that is not proven. The records that
// entries name people in are encrypted for these people, so what readable.jsonl says about people
// is bound by the manifest alone: it is what the proxy's operator read in the log when the pack was
// made. Everything else in it is compared with the records.
package pack
