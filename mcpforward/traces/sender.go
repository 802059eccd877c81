package traces

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	collector "go.opentelemetry.io/proto/slim/otlp/collector/trace/v1"
	"google.golang.org/protobuf/proto"
)

// maxAnswer is how much of a collector's answer is read.
const maxAnswer = 64 << 10

// tracesPath is where a collector takes traces (OTLP 1.9, OTLP/HTTP request).
const tracesPath = "/v1/traces"

// sender sends spans by OTLP over HTTP, as protobuf.
type sender struct {
	config Config
	url    string
}

func newSender(c Config) sender {
	url := strings.TrimSuffix(c.Endpoint, "/")
	if !strings.HasSuffix(url, tracesPath) {
		url += tracesPath
	}
	return sender{c, url}
}

// retryError says that the same request may succeed later.
type retryError struct {
	err   error
	after time.Duration // that the collector asked for; 0: nothing
}

// Error says what went wrong.
func (e *retryError) Error() string { return e.err.Error() }

// send sends spans once, and returns how many of them the collector refused. Only what it may take
// later is a [retryError].
func (s sender) send(ctx context.Context, spans []sdk.ReadOnlySpan) (refused int64, err error) {
	body, err := proto.Marshal(encode(spans, s.config))
	if err != nil {
		return 0, fmt.Errorf("encoding spans: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.url, bytes.NewReader(body))
	if err != nil {
		return 0, errors.New("the URL of the collector is not usable")
	}
	req.Header.Set("Content-Type", "application/x-protobuf")
	req.Header.Set("User-Agent", scope+"/"+s.config.Version)
	resp, err := s.config.HTTP.Do(req)
	if err != nil {
		return 0, &retryError{err: errors.New("no answer of the collector: " + reason(err))}
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, &retryError{err: errors.New("the answer of the collector breaks off")}
	}
	switch resp.StatusCode {
	case http.StatusOK, http.StatusAccepted, http.StatusNoContent:
		return min(refusedOf(answer), int64(len(spans))), nil
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout: // OTLP: may be sent again
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return 0, &retryError{fmt.Errorf("the collector answers HTTP %d", resp.StatusCode), time.Duration(max(0, min(seconds, 3600))) * time.Second}
	}
	return 0, fmt.Errorf("the collector answers HTTP %d and takes none of them", resp.StatusCode)
}

// reason is an error of the HTTP client without the URL.
func reason(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return "time is up"
	}
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err.Error()
		}
		err = inner
	}
}

// refusedOf is how many spans an answer says that it refuses (partial success).
func refusedOf(answer []byte) int64 {
	var response collector.ExportTraceServiceResponse
	if proto.Unmarshal(answer, &response) != nil {
		return 0
	}
	return max(0, response.GetPartialSuccess().GetRejectedSpans())
}
