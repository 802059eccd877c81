// Package seal keeps what may not lie in the database in the clear: a [KeyRing] encrypts
// what is needed again, bound to the place where it is stored, and authenticates what may be
// read but not written by others ([KeyRing.MAC]; authproxy/db/DESIGN.md says of which rows);
// [Hash] is stored of bearer secrets, which are only compared; [Secret] makes them.
//
// The key ring lies in a file that only the proxy reads, in a credential of systemd or in the
// environment ([Source]), as it is or encrypted by a [KeyService]. Its first key seals, all open,
// so that [Source.Rotate] can put a new one in front while processes run. DESIGN.md says why so.
package seal
