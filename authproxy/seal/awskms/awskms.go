// Package awskms has sealing keys encrypted by a key of AWS KMS, which never leaves it: it is a
// [sfmcp-proxy/authproxy/seal.KeyService] on the two calls GenerateDataKey and Decrypt.
//
// Who the proxy is to AWS comes from where AWS programs have it (environment, web identity of
// Kubernetes, role of the machine); nothing of it is in the configuration. It needs
// kms:Decrypt to start, kms:GenerateDataKey for 'key generate' and 'key rotate'.
package awskms

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/kms"
	"github.com/aws/aws-sdk-go-v2/service/kms/types"
)

// attempts is how often a call is tried that fails in a way that may pass.
const attempts = 3

// Config says which key, and how it is reached.
type Config struct {
	// Key is the ARN, id or alias (alias/NAME) of a symmetric key.
	Key string
	// Region, as eu-central-1; empty: that of the ARN.
	Region string
	// Endpoint is another URL of the service than the region's; empty: that.
	Endpoint string
	// Roots are whose certificates count; nil: the system's. Those of AWS_CA_BUNDLE do besides.
	Roots *x509.CertPool
	// Dial makes the connections, below TLS; nil: directly. Proxies of the environment do not count.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
}

// RegionOf returns the region in an ARN of a key, or "".
func RegionOf(key string) string {
	parts := strings.Split(key, ":")
	if len(parts) < 6 || parts[0] != "arn" || parts[2] != "kms" {
		return ""
	}
	return parts[3]
}

// Service is a key of AWS KMS.
type Service struct {
	config Config
	kms    *kms.Client
}

// bound goes with what is encrypted, and must be the same where it is decrypted: the key's
// policy can ask for it (kms:EncryptionContext:sfmcp-proxy), and its log shows it.
var bound = map[string]string{"sfmcp-proxy": "sealing keys"}

// Open makes no connection yet.
func Open(ctx context.Context, c Config) (*Service, error) {
	if c.Region == "" {
		c.Region = RegionOf(c.Key)
	}
	// The SDK adds AWS_CA_BUNDLE to clients that it has built, and refuses others then.
	client := awshttp.NewBuildableClient().WithTransportOptions(func(t *http.Transport) {
		t.Proxy = nil
		t.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12}
		if c.Roots != nil {
			t.TLSClientConfig.RootCAs = c.Roots.Clone()
		}
		if c.Dial != nil {
			t.DialContext = c.Dial
		}
	})
	loaded, err := config.LoadDefaultConfig(ctx, config.WithRegion(c.Region), config.WithHTTPClient(client), config.WithRetryMaxAttempts(attempts))
	if err != nil {
		return nil, fmt.Errorf("reading what AWS programs are configured by: %w", err)
	}
	return &Service{config: c, kms: kms.NewFromConfig(loaded, func(o *kms.Options) {
		if c.Endpoint != "" {
			o.BaseEndpoint = aws.String(c.Endpoint)
		}
	})}, nil
}

func (s *Service) String() string {
	return "AWS KMS in " + s.config.Region + " (key " + s.config.Key + ")"
}

// DataKey returns a fresh key of 32 bytes, and the same encrypted by the key of the service.
func (s *Service) DataKey(ctx context.Context) (key, encrypted []byte, err error) {
	made, err := s.kms.GenerateDataKey(ctx, &kms.GenerateDataKeyInput{KeyId: &s.config.Key, KeySpec: types.DataKeySpecAes256, EncryptionContext: bound})
	if err != nil {
		return nil, nil, s.explained(err)
	}
	return made.Plaintext, made.CiphertextBlob, nil
}

// Decrypt returns the key that DataKey returned encrypted. What another key of AWS KMS has
// encrypted is refused.
func (s *Service) Decrypt(ctx context.Context, encrypted []byte) ([]byte, error) {
	made, err := s.kms.Decrypt(ctx, &kms.DecryptInput{KeyId: &s.config.Key, CiphertextBlob: encrypted, EncryptionContext: bound})
	if err != nil {
		return nil, s.explained(err)
	}
	return made.Plaintext, nil
}

// explained adds to an error what to look at.
func (s *Service) explained(err error) error {
	return fmt.Errorf("%w; see that the host reaches the service, that AWS credentials are there, and that they may kms:Decrypt and kms:GenerateDataKey with this key", err)
}
