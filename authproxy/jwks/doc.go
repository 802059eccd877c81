// Package jwks holds sets of public keys for signatures (JSON Web Key Sets, RFC 7517),
// with bounds on everything that whoever publishes a set can choose.
//
// A [Set] is what one document says: [Parse] reads it strictly and keeps the keys that
// [Rules] allow. A [Remote] is the set that one URL publishes, fetched when it is needed
// and kept for a while. Both verify signatures and can be given to
// [github.com/coreos/go-oidc/v3/oidc.NewVerifier] as its KeySet.
//
// Keys and signatures are read and computed by go-jose. What goes before it is ours,
// because a set comes from outside: the size of a document, the number of keys and the
// length of their numbers are bounded before anything is decoded, a member that comes
// twice is refused, certificates in a key (x5c, x5u) are not looked at, and a set in
// which somebody published a secret is not used at all. go-oidc's own RemoteKeySet has no
// bound on body, keys, age or the pace of fetches, and keeps its keys for ever while the
// host is down.
package jwks
