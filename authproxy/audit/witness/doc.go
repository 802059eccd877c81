// Package witness asks witnesses to cosign checkpoints of the audit log (C2SP tlog-witness). A
// witness is somebody else's server that keeps, of every log, nothing but the last checkpoint
// that it saw: it cosigns a later one only with a proof that the log has grown from there. So
// who puts an older log back, or keeps two, finds no cosignature, and the witness can tell.
package witness
