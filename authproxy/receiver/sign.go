package receiver

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// Message is what is signed.
type Message struct {
	ID   string // the same in every attempt; without a dot, which ends it in what is signed
	Body []byte
}

// Sign adds the headers of Standard Webhooks 1.0.0: an id, the time of the attempt, and for
// every secret HMAC-SHA-256 over "id.time.body". While a secret is exchanged both sign, so who
// knows either accepts what is sent. Without secrets nothing is signed.
func (c *Client) Sign(h http.Header, m Message, secrets []string) {
	at := strconv.FormatInt(c.now().Unix(), 10)
	h.Set("Webhook-Id", m.ID)
	h.Set("Webhook-Timestamp", at)
	var all []string
	for _, secret := range secrets {
		mac := hmac.New(sha256.New, []byte(secret))
		fmt.Fprintf(mac, "%s.%s.", m.ID, at)
		mac.Write(m.Body)
		all = append(all, "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	}
	if len(all) > 0 {
		h.Set("Webhook-Signature", strings.Join(all, " "))
	}
}
