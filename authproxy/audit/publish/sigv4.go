package publish

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// awsKey signs requests to S3 (AWS Signature Version 4, "Authenticating Requests: Using the
// Authorization Header").
type awsKey struct{ id, secret, region string }

// amzTime is how S3 writes a time.
const amzTime = "20060102T150405Z"

// sign adds the headers that authenticate the request, whose body has that content. All
// headers that are there are signed, so nothing may be added afterwards.
func (k awsKey) sign(r *http.Request, content []byte, now time.Time) {
	at := now.UTC().Format(amzTime)
	digest := hexSHA256(content)
	r.Header.Set("X-Amz-Date", at)
	r.Header.Set("X-Amz-Content-Sha256", digest)

	headers := map[string]string{"host": r.URL.Host}
	for name, values := range r.Header {
		headers[strings.ToLower(name)] = strings.TrimSpace(strings.Join(values, ","))
	}
	names := slices.Sorted(maps.Keys(headers))
	var canonical strings.Builder
	canonical.WriteString(r.Method + "\n" + awsEncode(r.URL.Path, "/") + "\n" + awsQuery(r.URL.Query()) + "\n")
	for _, name := range names {
		canonical.WriteString(name + ":" + headers[name] + "\n")
	}
	signed := strings.Join(names, ";")
	canonical.WriteString("\n" + signed + "\n" + digest)

	scope := at[:8] + "/" + k.region + "/s3/aws4_request"
	key := []byte("AWS4" + k.secret)
	for part := range strings.SplitSeq(scope, "/") {
		key = hmacSHA256(key, part)
	}
	signature := hmacSHA256(key, "AWS4-HMAC-SHA256\n"+at+"\n"+scope+"\n"+hexSHA256([]byte(canonical.String())))
	r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+k.id+"/"+scope+",SignedHeaders="+signed+",Signature="+hex.EncodeToString(signature))
}

func hexSHA256(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func hmacSHA256(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// awsQuery is a query in the order and spelling that are signed.
func awsQuery(query url.Values) string {
	var parts []string
	for name, values := range query {
		for _, value := range values {
			parts = append(parts, awsEncode(name, "")+"="+awsEncode(value, ""))
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, "&")
}

// awsEncode escapes every byte but letters, digits, "-_.~" and those of plain.
func awsEncode(s, plain string) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-_.~"+plain, c) >= 0 {
			b.WriteByte(c)
		} else {
			b.WriteString("%" + strings.ToUpper(hex.EncodeToString([]byte{c})))
		}
	}
	return b.String()
}
