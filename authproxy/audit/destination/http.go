package destination

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"strings"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/receiver"
)

// post sends a body and returns the answer to one that succeeded.
func post(ctx context.Context, client *receiver.Client, url string, header http.Header, body []byte) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%w: the address cannot be used", receiver.ErrRefused)
	}
	for name, values := range header {
		r.Header[name] = values
	}
	r.Header.Set("Content-Type", "application/json")
	answer, err := client.Do(r)
	return answer, tooMuch(err)
}

// WebhookConfig says where a webhook is.
type WebhookConfig struct {
	URL     string // a secret; or what URLFile holds
	URLFile string
	// SecretFiles sign what is sent; the first is the current one, others are on their way out.
	SecretFiles []string
	Client      *receiver.Client
}

type webhook struct{ config WebhookConfig }

// NewWebhook is a receiver of JSON, signed as Standard Webhooks 1.0.0 has it.
func NewWebhook(c WebhookConfig) Destination { return webhook{c} }

// batchBody is what a webhook gets.
type batchBody struct {
	Type    string            `json:"type"`
	Log     string            `json:"log"`
	Entries []json.RawMessage `json:"entries"`
}

// Send posts the batch under an id that it has again when it is sent again.
func (w webhook) Send(ctx context.Context, b *Batch) error {
	address := w.config.URL
	if w.config.URLFile != "" {
		var err error
		if address, err = publish.ReadSecret(w.config.URLFile); err != nil {
			return err
		}
	}
	body := batchBody{Type: "audit.entries", Log: b.Log}
	for i := range b.Records {
		body.Entries = append(body.Entries, b.Records[i].Text)
	}
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false) // entries stay as they are, byte for byte
	if err := enc.Encode(body); err != nil {
		return fmt.Errorf("encoding the batch: %w", err)
	}
	var secrets []string
	for i, path := range w.config.SecretFiles {
		secret, err := publish.ReadSecret(path)
		if i > 0 && os.IsNotExist(err) {
			continue // it has gone out
		}
		if err != nil {
			return err
		}
		secrets = append(secrets, secret)
	}
	header := http.Header{}
	w.config.Client.Sign(header, receiver.Message{ID: batchID(b), Body: text.Bytes()}, secrets)
	_, err := post(ctx, w.config.Client, address, header, text.Bytes())
	return err
}

// batchID is an id without a dot, which names of logs have.
func batchID(b *Batch) string {
	sum := sha256.Sum256([]byte(b.Log + " " + b.name()))
	return "exp_" + strings.ToLower(base32.StdEncoding.EncodeToString(sum[:16])[:26])
}

type s3 struct{ bucket publish.Bucket }

// NewS3 is a bucket of S3 or of what speaks its protocol. Each batch is an object of its own,
// PREFIX/LOG/FIRST-LAST.SUFFIX: one that is sent again takes its own place.
func NewS3(c publish.S3Config) Destination { return s3{publish.NewBucket(c)} }

// Send puts the object.
func (s s3) Send(ctx context.Context, b *Batch) error {
	var content []byte
	if b.Head != "" {
		content = append([]byte(b.Head), '\n')
	}
	kind := map[string]string{"csv": "text/csv; charset=utf-8"}[b.Suffix]
	if kind == "" {
		kind = "application/x-ndjson"
	}
	return s.bucket.Put(ctx, publish.Object{Log: b.Log, Name: b.name() + "." + b.Suffix, Type: kind}, b.lines(content))
}
