package seal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// KeyService keeps a key that never leaves it, and encrypts other keys with that. Its text
// ([fmt.Stringer]) names service and key in errors.
type KeyService interface {
	// DataKey returns a fresh key of 32 bytes, and the same encrypted.
	DataKey(ctx context.Context) (key, encrypted []byte, err error)
	// Decrypt returns what DataKey returned encrypted.
	Decrypt(ctx context.Context, encrypted []byte) ([]byte, error)
	String() string
}

// An encrypted key file has the data key, encrypted by the service, and the lines with keys,
// encrypted under the data key (envelope encryption). The service sees no sealing key.
const envelopeHead = "# sfmcp-proxy sealing keys, encrypted by a key service\n"

// envelopeLabel is what the data key is for.
const envelopeLabel = "sfmcp-proxy key file"

var errEnvelope = errors.New("it is cut off or was changed: put its copy back")

func makeEnvelope(ctx context.Context, service KeyService, plain []byte) ([]byte, error) {
	key, encrypted, err := service.DataKey(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking %s for a data key: %w", service, err)
	}
	if len(key) != keySize {
		return nil, fmt.Errorf("asking %s for a data key: it has %d bytes, expected %d", service, len(key), keySize)
	}
	box, err := NewAEAD(key, envelopeLabel)
	if err != nil {
		return nil, err
	}
	text := base64.RawURLEncoding.EncodeToString
	return []byte(envelopeHead + "data-key " + text(encrypted) + "\nkeys " + text(box.Seal(nil, nil, plain, encrypted)) + "\n"), nil
}

func openEnvelope(ctx context.Context, service KeyService, text []byte) ([]byte, error) {
	lines := strings.Split(string(text[len(envelopeHead):]), "\n")
	if len(lines) != 3 || lines[2] != "" {
		return nil, errEnvelope
	}
	encrypted, err := field(lines[0], "data-key ")
	if err != nil {
		return nil, err
	}
	sealed, err := field(lines[1], "keys ")
	if err != nil {
		return nil, err
	}
	key, err := service.Decrypt(ctx, encrypted)
	if err != nil {
		return nil, fmt.Errorf("asking %s to decrypt its data key: %w", service, err)
	}
	box, err := NewAEAD(key, envelopeLabel)
	if err != nil {
		return nil, err
	}
	plain, err := box.Open(nil, nil, sealed, encrypted)
	if err != nil {
		return nil, errEnvelope
	}
	return plain, nil
}

func field(line, name string) ([]byte, error) {
	text, ok := strings.CutPrefix(line, name)
	value, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if !ok || err != nil {
		return nil, errEnvelope
	}
	return value, nil
}
