package destination

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/receiver"
)

// OTLPConfig says where an OpenTelemetry collector is.
type OTLPConfig struct {
	URL       string // whole: https://HOST/v1/logs
	TokenFile string // bearer token; empty: none
	Version   string // of this program
	Client    *receiver.Client
}

type otlp struct{ config OTLPConfig }

// NewOTLP is a receiver of OTLP/HTTP 1.x, in its JSON encoding.
func NewOTLP(c OTLPConfig) Destination { return otlp{c} }

// The messages of opentelemetry/proto/collector/logs/v1, in the JSON encoding of OTLP: lower
// camel case, 64-bit numbers as text.
type (
	logsRequest struct {
		ResourceLogs []resourceLogs `json:"resourceLogs"`
	}
	resourceLogs struct {
		Resource  resource    `json:"resource"`
		ScopeLogs []scopeLogs `json:"scopeLogs"`
	}
	resource struct {
		Attributes []attribute `json:"attributes"`
	}
	scopeLogs struct {
		Scope      scope       `json:"scope"`
		LogRecords []logRecord `json:"logRecords"`
	}
	scope struct {
		Name string `json:"name"`
	}
	logRecord struct {
		Time         string      `json:"timeUnixNano"`
		Observed     string      `json:"observedTimeUnixNano"`
		Severity     int         `json:"severityNumber"`
		SeverityText string      `json:"severityText"`
		EventName    string      `json:"eventName"`
		Body         text        `json:"body"`
		Attributes   []attribute `json:"attributes"`
	}
	attribute struct {
		Key   string `json:"key"`
		Value text   `json:"value"`
	}
	text struct {
		String string `json:"stringValue"`
	}
	logsResponse struct {
		PartialSuccess struct {
			Rejected json.RawMessage `json:"rejectedLogRecords"` // a number, as text or not
		} `json:"partialSuccess"`
	}
)

// severities are those of the log data model: INFO, INFO2, WARN, ERROR.
var severities = map[Severity]struct {
	number int
	text   string
}{Informational: {9, "INFO"}, Notice: {10, "INFO2"}, Warning: {13, "WARN"}, Critical: {17, "ERROR"}}

// Send posts the batch. A collector that takes a part of it only has not taken it.
func (o otlp) Send(ctx context.Context, b *Batch) error {
	header := http.Header{}
	if o.config.TokenFile != "" {
		token, err := publish.ReadSecret(o.config.TokenFile)
		if err != nil {
			return err
		}
		header.Set("Authorization", "Bearer "+token)
	}
	body, err := json.Marshal(o.request(b))
	if err != nil {
		return fmt.Errorf("encoding the batch: %w", err)
	}
	answer, err := post(ctx, o.config.Client, o.config.URL, header, body)
	if err != nil || len(answer) == 0 {
		return err
	}
	var said logsResponse
	if err := json.Unmarshal(answer, &said); err != nil {
		return fmt.Errorf("the answer is not that of an OTLP receiver")
	}
	if n, err := strconv.ParseInt(unquoted(said.PartialSuccess.Rejected), 10, 64); err != nil || n != 0 {
		return fmt.Errorf("%w: the collector rejected %d of %d records", ErrTooMuch, n, len(b.Records))
	}
	return nil
}

// unquoted is a 64-bit number of JSON in OTLP, which may stand in quotes or not be there.
func unquoted(number json.RawMessage) string {
	var s string
	switch {
	case len(number) == 0 || string(number) == "null":
		return "0"
	case json.Unmarshal(number, &s) == nil:
		return s
	}
	return string(number)
}

func (o otlp) request(b *Batch) logsRequest {
	records := make([]logRecord, len(b.Records))
	for i := range b.Records {
		r := &b.Records[i]
		at, severity := strconv.FormatInt(r.At.UnixNano(), 10), severities[r.Severity]
		records[i] = logRecord{Time: at, Observed: at, Severity: severity.number, SeverityText: severity.text, EventName: r.Event,
			Body: text{string(r.Text)}, Attributes: attributes("log.record.uid", r.Key)}
	}
	return logsRequest{[]resourceLogs{{
		Resource:  resource{attributes("service.name", "sfmcp-proxy", "service.version", o.config.Version, "service.instance.id", b.Log)},
		ScopeLogs: []scopeLogs{{scope{"sfmcp-proxy/audit"}, records}},
	}}}
}

// attributes are names and values in turn.
func attributes(pairs ...string) (all []attribute) {
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, attribute{pairs[i], text{pairs[i+1]}})
	}
	return all
}
