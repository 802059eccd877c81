package destination

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/receiver"
)

const testLog = "proxy.example/audit/0123456789abcdef"

// batch is records with these numbers.
func batch(seqs ...int64) *Batch {
	b := &Batch{Log: testLog, Suffix: "jsonl"}
	for _, seq := range seqs {
		b.Records = append(b.Records, Record{Key: fmt.Sprintf("%s/%d", testLog, seq), Seq: seq, At: time.UnixMilli(1772366400123), Event: "tool.call", Severity: Notice,
			Text: fmt.Appendf(nil, `{"log":"%s","seq":%d,"text":"ä <&>"}`, testLog, seq)})
	}
	return b
}

// texts are those of a batch.
func (b *Batch) texts() (all []string) {
	for _, r := range b.Records {
		all = append(all, string(r.Text))
	}
	return all
}

func secretFile(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(text+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func testClient() *receiver.Client {
	return receiver.New(receiver.Config{Allow: loopback, AnyPort: true, HeadTime: 5 * time.Second, Now: time.Now}) // a busy machine needs more than one
}

// office is a receiver over HTTP that keeps what it took, and can be told to misbehave.
type office struct {
	// read takes a body apart, answer is what a success is answered with.
	read   func(r *http.Request, body []byte) ([]string, error)
	answer string

	mu     sync.Mutex
	fault  string
	taken  []string
	failed error
}

const canary = "canary-answer"

// ServeHTTP implements http.Handler.
func (o *office) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	o.mu.Lock()
	defer o.mu.Unlock()
	switch o.fault {
	case "500", "503", "429", "400", "401", "413", "404":
		var status int
		fmt.Sscan(o.fault, &status)
		w.Header().Set("Retry-After", "7")
		http.Error(w, canary, status)
		return
	case "redirected":
		if r.URL.Path == "/elsewhere" {
			_, _ = io.WriteString(w, o.answer)
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		return
	case "slow":
		o.mu.Unlock()
		<-r.Context().Done()
		o.mu.Lock()
		return
	case "broken before":
		panic(http.ErrAbortHandler)
	}
	texts, wrong := o.read(r, body)
	if o.failed = errors.Join(o.failed, err, wrong); wrong != nil {
		return
	}
	o.taken = append(o.taken, texts...)
	switch o.fault {
	case "broken after":
		panic(http.ErrAbortHandler)
	case "cut in the answer":
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"te`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = io.WriteString(w, o.answer)
}

// problem is what was wrong with what it got.
func (o *office) problem() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.failed
}

// posts has a body of objects, one behind the other, of which texts takes one apart.
func posts(body []byte, text func(json.RawMessage) (string, error)) (all []string, err error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		var one json.RawMessage
		if err := dec.Decode(&one); err == io.EOF {
			return all, nil
		} else if err != nil {
			return nil, err
		}
		s, err := text(one)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
}

// offices are a receiver of each kind over HTTP, and its destination.
func offices(t *testing.T) map[string]func(url string) (*office, Destination) {
	token := secretFile(t, "canary-token")
	asked := func(header, value string, read func([]byte) ([]string, error)) func(*http.Request, []byte) ([]string, error) {
		return func(r *http.Request, body []byte) ([]string, error) {
			if got := r.Header.Get(header); got != value {
				return nil, fmt.Errorf("%s is %q", header, got)
			}
			return read(body)
		}
	}
	return map[string]func(url string) (*office, Destination){
		"webhook": func(url string) (*office, Destination) {
			o := &office{read: asked("Content-Type", "application/json", func(body []byte) (all []string, err error) {
				var b batchBody
				err = json.Unmarshal(body, &b)
				for _, e := range b.Entries {
					all = append(all, string(e))
				}
				return all, err
			})}
			return o, NewWebhook(WebhookConfig{URLFile: secretFile(t, url+"/canary-path"), SecretFiles: []string{token}, Client: testClient()})
		},
		"otlp": func(url string) (*office, Destination) {
			o := &office{answer: `{"partialSuccess":{}}`, read: asked("Authorization", "Bearer canary-token", func(body []byte) (all []string, err error) {
				var b logsRequest
				err = json.Unmarshal(body, &b)
				for _, r := range b.ResourceLogs[0].ScopeLogs[0].LogRecords {
					all = append(all, r.Body.String)
				}
				return all, err
			})}
			return o, NewOTLP(OTLPConfig{URL: url + "/v1/logs", TokenFile: token, Version: "1", Client: testClient()})
		},
		"splunk": func(url string) (*office, Destination) {
			o := &office{answer: `{"text":"Success","code":0}`, read: asked("Authorization", "Splunk canary-token", func(body []byte) ([]string, error) {
				return posts(body, func(one json.RawMessage) (string, error) {
					var e splunkEvent
					err := json.Unmarshal(one, &e)
					if e.Time != "1772366400.123" || e.Source != testLog || e.Fields["key"] == "" || e.Index != "audit" {
						err = fmt.Errorf("%s: %w", one, errors.Join(err, errors.New("not as it should be")))
					}
					return string(e.Event), err
				})
			})}
			return o, NewSplunk(SplunkConfig{URL: url + "/", TokenFile: token, Index: "audit", Client: testClient()})
		},
		"s3": func(url string) (*office, Destination) {
			o := &office{read: func(r *http.Request, body []byte) ([]string, error) {
				if want := "/logs/p/" + strings.ReplaceAll(testLog, "/", "_") + "/"; !strings.HasPrefix(r.URL.Path, want) || !strings.HasSuffix(r.URL.Path, ".jsonl") {
					return nil, errors.New(r.URL.Path)
				}
				return strings.Split(strings.TrimSuffix(string(body), "\n"), "\n"), nil
			}}
			return o, NewS3(publish.S3Config{Bucket: "logs", Region: "r", Endpoint: url, Prefix: "p", AccessKeyID: "AKIA", SecretKeyFile: token, HTTP: testClient().HTTP(), Now: time.Now})
		},
	}
}

// AU-12: whatever a receiver does instead of taking a batch, it counts as not taken; what is wrong is said
// without a secret or a word of the answer; and the same batch is taken as soon as it behaves.
func TestAU12ReceiversMisbehave(t *testing.T) {
	t.Parallel()
	for kind, open := range offices(t) {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var o *office
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { o.ServeHTTP(w, r) }))
			defer server.Close()
			server.Config.ErrorLog = nil
			var d Destination
			o, d = open(server.URL)
			b := batch(1, 2, 3)
			for _, fault := range []string{"500", "503", "429", "400", "401", "404", "413", "redirected", "slow", "broken before", "broken after", "cut in the answer"} {
				o.mu.Lock()
				o.fault, o.taken = fault, nil
				o.mu.Unlock()
				err := d.Send(t.Context(), b)
				if failed := o.problem(); err == nil || strings.Contains(err.Error(), "canary") || failed != nil {
					t.Errorf("%s: %v, %v", fault, err, failed)
				}
				if r, is := errors.AsType[*receiver.RetryAfter](err); kind != "s3" && is != (fault == "429" || fault[0] == '5') || is && r.After != 7*time.Second {
					t.Errorf("%s: %v", fault, err)
				}
				if much := errors.Is(err, ErrTooMuch); kind != "s3" && much != (fault == "413" || fault == "400") {
					t.Errorf("%s: %v", fault, err)
				}
				o.mu.Lock()
				o.fault = ""
				o.mu.Unlock()
				if err := d.Send(t.Context(), b); err != nil {
					t.Errorf("after %s: %v", fault, err)
				}
				o.mu.Lock()
				want := b.texts()
				if strings.HasSuffix(fault, "after") || strings.HasPrefix(fault, "cut") {
					want = append(want, want...)
				}
				if !slices.Equal(o.taken, want) || o.failed != nil {
					t.Errorf("after %s it has %q, %v", fault, o.taken, o.failed)
				}
				o.mu.Unlock()
			}
			server.Close()
			if err := d.Send(t.Context(), b); err == nil || strings.Contains(err.Error(), "canary") {
				t.Errorf("down: %v", err)
			}
		})
	}
}

// AD-07: no destination is connected to in a special-use network that it is not allowed in.
func TestAD07DestinationsInside(t *testing.T) {
	t.Parallel()
	reached := false
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached = true }))
	defer server.Close()
	client := receiver.New(receiver.Config{AnyPort: true, HeadTime: time.Second, Now: time.Now})
	for _, d := range []Destination{
		NewWebhook(WebhookConfig{URL: server.URL, Client: client}), NewOTLP(OTLPConfig{URL: server.URL, Client: client}),
		NewSplunk(SplunkConfig{URL: server.URL, TokenFile: secretFile(t, "x"), Client: client}), NewSyslog(SyslogConfig{Address: server.Listener.Addr().String()}),
		NewS3(publish.S3Config{Bucket: "b", Region: "r", Endpoint: server.URL, AccessKeyID: "a", SecretKeyFile: secretFile(t, "x"), HTTP: client.HTTP(), Now: time.Now}),
	} {
		if err := d.Send(t.Context(), batch(1)); err == nil || !strings.Contains(err.Error(), "not an address of the public internet") || reached {
			t.Errorf("%T: %v", d, err)
		}
	}
}

// A collector that takes a part of a batch has not taken it.
func TestPartOfABatch(t *testing.T) {
	t.Parallel()
	for answer, ok := range map[string]bool{
		``: true, `{}`: true, `{"partialSuccess":{"rejectedLogRecords":"0"}}`: true, `{"partialSuccess":{"rejectedLogRecords":null}}`: true,
		`{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"canary"}}`: false, `{"partialSuccess":{"rejectedLogRecords":1}}`: false,
		`{"partialSuccess":{"rejectedLogRecords":"x"}}`: false, `<html>`: false,
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
		err := NewOTLP(OTLPConfig{URL: server.URL, Client: testClient()}).Send(t.Context(), batch(1, 2))
		if (err == nil) != ok || err != nil && strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: %v", answer, err)
		}
		server.Close()
	}
}

// Splunk has taken events when it says so: by its code, and with ack when they are indexed.
func TestSplunkAcknowledges(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		event string
		acks  []string
		ok    bool
	}{
		"at once":           {`{"code":0,"ackId":3}`, []string{`{"acks":{"3":true}}`}, true},
		"later":             {`{"code":0,"ackId":3}`, []string{`{"acks":{"3":false}}`, `{"acks":{}}`, `{"acks":{"3":true}}`}, true},
		"another":           {`{"code":0,"ackId":3}`, []string{`{"acks":{"4":true}}`}, false},
		"not offered":       {`{"code":0}`, nil, false},
		"no success":        {`{"code":9}`, nil, false},
		"no code":           {`{"ackId":3}`, nil, false},
		"not Splunk's":      {`<html>`, nil, false},
		"not Splunk's, ack": {`{"code":0,"ackId":3}`, []string{`<html>`}, false},
	} {
		asked := 0
		var channels []string
		ctx, cancel := context.WithCancel(t.Context())
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			channels = append(channels, r.Header.Get("X-Splunk-Request-Channel"))
			if r.URL.Path != "/services/collector/ack" {
				_, _ = io.WriteString(w, tt.event)
				return
			}
			_, _ = io.WriteString(w, tt.acks[min(asked, len(tt.acks)-1)])
			if asked++; asked == 10 { // nothing else will come
				cancel()
			}
		}))
		d := NewSplunk(SplunkConfig{URL: server.URL, TokenFile: secretFile(t, "x"), Ack: true, Client: testClient()}).(splunk)
		d.pause = time.Millisecond
		if err := d.Send(ctx, batch(1)); (err == nil) != tt.ok {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
		server.Close()
		if len(channels[0]) != 36 || slices.ContainsFunc(channels, func(c string) bool { return c != channels[0] }) {
			t.Errorf("%s: channels %q", name, channels)
		}
	}
}

// A webhook is signed by every secret, and gets a batch again under the same id.
func TestWebhookOfTwoSecrets(t *testing.T) {
	t.Parallel()
	var headers []http.Header
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { headers = append(headers, r.Header) }))
	defer server.Close()
	current, previous := secretFile(t, "new"), secretFile(t, "old")
	d := NewWebhook(WebhookConfig{URL: server.URL, SecretFiles: []string{current, previous}, Client: testClient()})
	for _, b := range []*Batch{batch(1, 2), batch(1, 2), batch(1)} {
		if err := d.Send(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	if id := headers[0].Get("Webhook-Id"); id != headers[1].Get("Webhook-Id") || id == headers[2].Get("Webhook-Id") || strings.Contains(id, ".") {
		t.Errorf("%v", headers)
	}
	if n := strings.Count(headers[0].Get("Webhook-Signature"), "v1,"); n != 2 {
		t.Errorf("%d signatures", n)
	}
	if err := os.Remove(previous); err != nil {
		t.Fatal(err)
	}
	if err := d.Send(t.Context(), batch(1)); err != nil || strings.Count(headers[3].Get("Webhook-Signature"), "v1,") != 1 {
		t.Errorf("without the previous secret: %v, %v", err, headers[3])
	}
	if err := os.WriteFile(current, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := d.Send(t.Context(), batch(1)); err == nil {
		t.Error("nothing signs it, and it is sent")
	}
}
