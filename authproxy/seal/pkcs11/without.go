//go:build !(pkcs11 && cgo)

package pkcs11

import "sfmcp-proxy/authproxy/seal"

// Built says whether this program can speak with tokens.
const Built = false

// Open returns [ErrNotBuilt].
func Open(Config) (seal.KeyService, error) { return nil, ErrNotBuilt }
