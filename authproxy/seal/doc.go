// Package seal keeps what may not lie in the database in the clear: a [KeyRing] encrypts
// what is needed again, bound to the place where it is stored, and authenticates what may be
// read but not written by others ([KeyRing.MAC]; authproxy/db/DESIGN.md says of which rows);
// [Hash] is stored of bearer secrets, which are only compared; [Secret] makes them.
//
// The key ring lies in a file that only the proxy reads ([CreateKeyFile], [LoadKeyRing]).
// Its first key seals, all open, so that [RotateKeyFile] can put a new one in front while
// processes run.
package seal
