package upstream

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestEventStream holds the cases of the web platform tests
// (eventsource/format-*) that concern a reader without reconnection.
func TestEventStream(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, stream string
		want         []string // name|data
	}{
		{"one", "data: a\n\n", []string{"|a"}},
		{"CR", "data: a\rdata: b\r\rdata: c\r\r", []string{"|a\nb", "|c"}},
		{"CRLF", "data: a\r\n\r\ndata: b\r\n\r\n", []string{"|a", "|b"}},
		{"mixed line ends", "data: a\r\ndata: b\ndata: c\r\n\rdata: d\n\n", []string{"|a\nb\nc", "|d"}},
		{"LF CR", "data: a\n\rdata: b\n\r", []string{"|a", "|b"}},
		{"BOM", "\ufeffdata: a\n\n", []string{"|a"}},
		{"two BOMs", "\ufeff\ufeffdata: a\n\ndata: b\n\n", []string{"|b"}},
		{"BOM later", "data: a\n\n\ufeffdata: b\n\ndata: c\n\n", []string{"|a", "|c"}},
		{"comments", ": x\ndata: a\n:\n: data: b\ndata: c\n\n:\n\n", []string{"|a\nc"}},
		{"names", "event: n\ndata: a\n\ndata: b\n\n", []string{"n|a", "|b"}},
		{"name without data", "event: n\n\ndata: b\n\n", []string{"|b"}},
		{"last name counts", "event: n\nevent: m\ndata: a\n\n", []string{"m|a"}},
		{"empty name", "event: n\nevent:\ndata: a\n\n", []string{"|a"}},
		{"no colon", "data\ndata\n\ndata\n\n", []string{"|\n", "|"}},
		{"empty data", "data:\n\n", []string{"|"}},
		{"one space is removed", "data:  a\ndata:b\ndata:\tc\n\n", []string{"| a\nb\n\tc"}},
		{"colons in data", "data: a:b: c\n\n", []string{"|a:b: c"}},
		{"fields are exact", "DATA: a\n data: b\ndata : c\nxdata: d\ndata: e\n\n", []string{"|e"}},
		{"unknown fields", "id: 1\nretry: 5\nfoo: x\ndata: a\n\n", []string{"|a"}},
		{"NUL", "data: a\x00b\nid: \x00\n\n", []string{"|a\x00b"}},
		{"not ended by an empty line", "data: a\n\ndata: b\n", []string{"|a"}},
		{"last line not ended", "data: a\n\ndata: b", []string{"|a"}},
		{"only empty lines", "\n\n\r\r\r\n", nil},
		{"nothing", "", nil},
		{"UTF-8", "data: \u00e9\U0001f600\n\n", []string{"|\u00e9\U0001f600"}},
	} {
		for _, reader := range []io.Reader{strings.NewReader(tt.stream), iotest.OneByteReader(strings.NewReader(tt.stream))} {
			got, err := readEvents(reader)
			if diff := cmp.Diff(tt.want, got); diff != "" || err != io.EOF {
				t.Errorf("%s: %v (-want +got):\n%s", tt.name, err, diff)
			}
		}
	}
}

func readEvents(r io.Reader) ([]string, error) {
	var all []string
	for events := newEventReader(r); ; {
		e, err := events.next()
		if err != nil {
			return all, err
		}
		all = append(all, e.name+"|"+string(e.data))
	}
}

// TestEventIsDispatchedAtOnce: an event that CRs end must not wait for the byte
// after them.
func TestEventIsDispatchedAtOnce(t *testing.T) {
	t.Parallel()
	r, w := io.Pipe()
	defer w.Close()
	go io.WriteString(w, "data: a\r\r")
	got := make(chan event)
	go func() { e, _ := newEventReader(r).next(); got <- e }()
	select {
	case e := <-got:
		if string(e.data) != "a" {
			t.Errorf("data = %q", e.data)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the event is held back")
	}
}

func TestCapped(t *testing.T) {
	t.Parallel()
	for size, want := range map[int]error{0: nil, 9: nil, 10: nil, 11: errTooLarge, 1000: errTooLarge} {
		got, err := io.ReadAll(&capped{r: bytes.NewReader(make([]byte, size)), left: 10})
		if err != want || len(got) > 10 {
			t.Errorf("size %d: %d bytes, %v", size, len(got), err)
		}
	}
}

// FuzzEventStream: how a stream is cut into reads does not matter, and what is
// written as an event is read as that event.
func FuzzEventStream(f *testing.F) {
	f.Add([]byte("event: n\r\ndata: a\rdata: b\n\n: x\n\ndata"), "a\nb")
	f.Fuzz(func(t *testing.T, stream []byte, data string) {
		whole, errWhole := readEvents(bytes.NewReader(stream))
		bytewise, errBytewise := readEvents(iotest.OneByteReader(bytes.NewReader(stream)))
		if diff := cmp.Diff(whole, bytewise); diff != "" || errWhole != io.EOF || errBytewise != io.EOF {
			t.Fatalf("%v, %v (-whole +bytewise):\n%s", errWhole, errBytewise, diff)
		}
		if strings.Contains(data, "\r") {
			return // cannot be written
		}
		written := "data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n"
		if got, _ := readEvents(strings.NewReader(written)); len(got) != 1 || got[0] != "|"+data {
			t.Fatalf("wrote %q, read %q", data, got)
		}
	})
}
