package clientdoc

import "sfmcp-proxy/authproxy/jwks"

// keyRules are for the keys with which clients sign: a key id is optional there.
var keyRules = jwks.Rules{Algorithms: []string{jwks.RS256, jwks.ES256}, MaxKeys: 32}

// ParseKeys reads the key set of a client, from its document or from its jwks_uri.
func ParseKeys(document []byte) (jwks.Set, error) { return jwks.Parse(document, keyRules) }
