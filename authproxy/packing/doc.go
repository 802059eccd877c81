// Package packing makes packs of evidence (package pack) of what somebody asks for: a person, one
// call that waited, a control, or a time. The command line, the pages and the API ask here, so what
// they hand over is the same, byte for byte, but for who made it and when.
//
// That a pack is being made, of what and by whom, is an entry of the audit log before anything is
// read (evidence.make); the entry that ends it holds the SHA-256 of the pack's manifest. A pack about
// one call has its arguments, so that they were read is an entry of its own (approval.read).
//
//	packing.go   what is needed
//	asked.go     what can be asked for, and which entries that is
//	make.go      one pack: entries, proofs, tables
//	archive.go   a pack as the answer to a request: bounded, one at a time, nothing left behind
package packing
