// Package oracle has no code, only tests: programs of others read what package
// authproxy/audit/tree writes, and agree. They are transparency-dev's Tessera, whose fsck reads
// the tiles; filippo.io/torchwood, which reads the proofs, and whose litewitness runs as a process and
// cosigns the checkpoints; and the verifier of the folder above. It is a module of its own, so that
// what these need is not among what the product needs.
//
//	cd examples/verifier/oracle && go test .
package oracle
