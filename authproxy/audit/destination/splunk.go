package destination

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/receiver"
)

// SplunkConfig says where a Splunk HTTP Event Collector is.
type SplunkConfig struct {
	URL       string // https://HOST:8088, without a path
	TokenFile string
	Index     string // empty: the token's
	Hostname  string // that events come from
	// Ack waits until Splunk says that the events are indexed. Its token must have indexer
	// acknowledgement enabled.
	Ack    bool
	Client *receiver.Client
}

type splunk struct {
	config  SplunkConfig
	channel string // of acknowledgements, a random UUID (RFC 9562 5.4)
	pause   time.Duration
}

// NewSplunk is a Splunk HTTP Event Collector.
func NewSplunk(c SplunkConfig) Destination {
	c.URL = strings.TrimSuffix(c.URL, "/")
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	id[6], id[8] = id[6]&0x0F|0x40, id[8]&0x3F|0x80
	return splunk{c, fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:]), 500 * time.Millisecond}
}

// splunkEvent is an event of the endpoint /services/collector/event.
type splunkEvent struct {
	Time       json.Number       `json:"time"` // seconds, with milliseconds
	Host       string            `json:"host,omitempty"`
	Source     string            `json:"source"`
	SourceType string            `json:"sourcetype"`
	Index      string            `json:"index,omitempty"`
	Event      json.RawMessage   `json:"event"`
	Fields     map[string]string `json:"fields"`
}

// splunkAnswer is what the collector says; code 0 is success.
type splunkAnswer struct {
	Code  *int            `json:"code"`
	AckID *int64          `json:"ackId"`
	Acks  map[string]bool `json:"acks"`
}

// Send posts the batch, and waits for its acknowledgement where that is wanted.
func (s splunk) Send(ctx context.Context, b *Batch) error {
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false)
	for i := range b.Records {
		r := &b.Records[i]
		at := r.At.UnixMilli()
		if err := enc.Encode(splunkEvent{Time: json.Number(fmt.Sprintf("%d.%03d", at/1000, at%1000)), Host: s.config.Hostname, Source: b.Log,
			SourceType: "sfmcp:audit", Index: s.config.Index, Event: r.Text, Fields: map[string]string{"key": r.Key}}); err != nil {
			return fmt.Errorf("encoding the batch: %w", err)
		}
	}
	said, err := s.ask(ctx, "/services/collector/event", body.Bytes())
	switch {
	case err != nil:
		return err
	case said.Code == nil || *said.Code != 0:
		return errors.New("the answer is not a success of Splunk's")
	case !s.config.Ack:
		return nil
	case said.AckID == nil:
		return fmt.Errorf("%w: no acknowledgement is offered: the token has indexer acknowledgement disabled", receiver.ErrRefused)
	}
	return s.await(ctx, *said.AckID)
}

// await asks until the events are indexed.
func (s splunk) await(ctx context.Context, id int64) error {
	question, err := json.Marshal(map[string][]int64{"acks": {id}})
	if err != nil {
		return err
	}
	for {
		said, err := s.ask(ctx, "/services/collector/ack", question)
		if err != nil {
			return fmt.Errorf("asking for the acknowledgement: %w", err)
		}
		if said.Acks[strconv.FormatInt(id, 10)] {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("the events were not acknowledged in time: %w", ctx.Err())
		case <-time.After(s.pause):
		}
	}
}

func (s splunk) ask(ctx context.Context, path string, body []byte) (*splunkAnswer, error) {
	token, err := publish.ReadSecret(s.config.TokenFile)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Authorization": {"Splunk " + token}}
	if s.config.Ack {
		header.Set("X-Splunk-Request-Channel", s.channel)
	}
	answer, err := post(ctx, s.config.Client, s.config.URL+path, header, body)
	if err != nil {
		return nil, err
	}
	var said splunkAnswer
	if json.Unmarshal(answer, &said) != nil {
		return nil, errors.New("the answer is not one of Splunk's")
	}
	return &said, nil
}
