package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
)

type vector struct {
	Name, Stream string
	Want         []string // name|data
}

// vectors are streams and what they mean, after the cases of the web platform tests
// (eventsource/format-*) that concern a reader without resumption.
func vectors(t testing.TB) []vector {
	raw, err := os.ReadFile("testdata/eventstream.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []vector
	if err := json.Unmarshal(raw, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

func TestEventStream(t *testing.T) {
	t.Parallel()
	for _, tt := range vectors(t) {
		for _, reader := range []io.Reader{strings.NewReader(tt.Stream), iotest.OneByteReader(strings.NewReader(tt.Stream)), iotest.DataErrReader(strings.NewReader(tt.Stream))} {
			got, err := readEvents(reader)
			if diff := cmp.Diff(tt.Want, got); diff != "" || err != io.EOF {
				t.Errorf("%s: %v (-want +got):\n%s", tt.Name, err, diff)
			}
		}
		if got := reference(tt.Stream); !cmp.Equal(tt.Want, got) {
			t.Errorf("%s: the reference reads %q", tt.Name, got)
		}
	}
}

func readEvents(r io.Reader) ([]string, error) {
	all := []string{}
	for events := newEventReader(r, 1<<20); ; {
		e, err := events.next()
		if err != nil {
			return all, err
		}
		all = append(all, e.name+"|"+string(e.data))
	}
}

var (
	eventEnd = regexp.MustCompile(`\r\n|\n|\r`)
	// The ABNF of the standard, with anything as a character of a name.
	field = regexp.MustCompile(`(?s)^([^:]*)(?:: ?(.*))?$`)
)

// reference reads a whole stream in the plainest way (WHATWG HTML, 9.2.6).
func reference(stream string) []string {
	all, name, data := []string{}, "", []string(nil)
	lines := eventEnd.Split(strings.TrimPrefix(stream, "\ufeff"), -1)
	for _, line := range lines[:len(lines)-1] { // the last one is not ended
		if line == "" {
			if data != nil {
				all = append(all, name+"|"+strings.Join(data, "\n"))
			}
			name, data = "", nil
			continue
		}
		switch parts := field.FindStringSubmatch(line); parts[1] {
		case "event":
			name = parts[2]
		case "data":
			data = append(data, parts[2])
		}
	}
	return all
}

// TestFaultFT24EventIsDispatchedAtOnce: an event must not wait for the bytes after it, not even
// one that CRs end for a LF.
func TestFaultFT24EventIsDispatchedAtOnce(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\n\n", "\r\r", "\r\n\r\n", "\r\n\r", "\n\r"} {
		r, w := io.Pipe()
		go io.WriteString(w, "data: a"+end)
		got := make(chan event)
		go func() { e, _ := newEventReader(r, 1<<20).next(); got <- e }()
		select {
		case e := <-got:
			if string(e.data) != "a" {
				t.Errorf("%q: data = %q", end, e.data)
			}
		case <-time.After(plenty):
			t.Fatalf("%q: the event is held back", end)
		}
		w.Close()
	}
}

func TestEventStreamRetry(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]time.Duration{
		"1500": 1500 * time.Millisecond, "0": 0, "010": 10 * time.Millisecond, "": 0, "-1": 0, "+1": 0, "1s": 0, " 1": 0, "1_0": 0, "99999999999999999999": 0,
	} {
		events := newEventReader(strings.NewReader("retry: "+value+"\n\n"), 1<<20)
		if _, err := events.next(); err != io.EOF || events.retry != want {
			t.Errorf("retry %q is %v, want %v", value, events.retry, want)
		}
	}
}

// TestEventsKeepTheirBytes: an event that was given out is not written again, neither
// when lines are moved together nor when the buffer grows.
func TestEventsKeepTheirBytes(t *testing.T) {
	t.Parallel()
	var stream strings.Builder
	var want []string
	for i := range 3000 {
		data := strings.Repeat(fmt.Sprint(i, "\n"), i%40+1)
		want = append(want, data)
		stream.WriteString("data: " + strings.ReplaceAll(data, "\n", "\ndata: ") + "\n\n")
	}
	events := newEventReader(strings.NewReader(stream.String()), 1<<20)
	var got [][]byte
	for {
		e, err := events.next()
		if err != nil {
			break
		}
		got = append(got, e.data)
	}
	if len(got) != len(want) {
		t.Fatalf("%d events, want %d", len(got), len(want))
	}
	for i := range got {
		if string(got[i]) != want[i] {
			t.Fatalf("event %d became %q, want %q", i, got[i], want[i])
		}
	}
}

// TestFW38EventIsBounded: one event and what is written around it, comments that are done
// with not.
func TestFW38EventIsBounded(t *testing.T) {
	t.Parallel()
	const limit = 100
	for name, tt := range map[string]struct {
		stream string
		want   error
	}{
		"fits":             {"data:" + strings.Repeat("x", limit-7) + "\n\n", nil},
		"too long":         {"data:" + strings.Repeat("x", limit) + "\n\n", errTooLarge},
		"line never ends":  {"data:" + strings.Repeat("x", 10*limit), errTooLarge},
		"many lines":       {strings.Repeat("data:\n", limit) + "\n", errTooLarge},
		"long name":        {"event:" + strings.Repeat("x", limit) + "\ndata:\n\n", errTooLarge},
		"long comment":     {":" + strings.Repeat("x", limit) + "\ndata:\n\n", errTooLarge},
		"many comments":    {strings.Repeat(": ping\n", limit) + "data:\n\n", nil},
		"many small ones":  {strings.Repeat("data: x\n\n", limit), nil},
		"comments in data": {"data:\n" + strings.Repeat(": ping\n", limit) + "\n", errTooLarge},
	} {
		if _, err := newEventReader(strings.NewReader(tt.stream), limit).next(); err != tt.want {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

// TestFW38LineEndsCostLinearTime: lines that CR ends are as cheap as others.
func TestFW38LineEndsCostLinearTime(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"\r", "\n", "\r\n"} {
		stream := strings.Repeat(end, 2<<20)
		began := time.Now()
		if got, err := readEvents(strings.NewReader(stream)); len(got) != 0 || err != io.EOF {
			t.Errorf("%q: %d events, %v", end, len(got), err)
		}
		if d := time.Since(began); d > plenty { // quadratic would be hours
			t.Errorf("%q: took %v", end, d)
		}
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

// FuzzEventStream: a stream means what the reference says, how it is cut into reads
// does not matter, and what is written as an event is read as that event.
func FuzzEventStream(f *testing.F) {
	for _, v := range vectors(f) {
		f.Add([]byte(v.Stream), "a\nb")
	}
	f.Fuzz(func(t *testing.T, stream []byte, data string) {
		whole, errWhole := readEvents(bytes.NewReader(stream))
		bytewise, errBytewise := readEvents(iotest.OneByteReader(bytes.NewReader(stream)))
		halves, errHalves := readEvents(iotest.HalfReader(bytes.NewReader(stream)))
		if errWhole != io.EOF || errBytewise != io.EOF || errHalves != io.EOF {
			t.Fatalf("%v, %v, %v", errWhole, errBytewise, errHalves)
		}
		want := reference(string(stream))
		for _, got := range [][]string{whole, bytewise, halves} {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("(-reference +got):\n%s", diff)
			}
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

// BenchmarkEventStream reads streams of one event and of many, as the transport hands
// them over: 4 KiB at a time.
func BenchmarkEventStream(b *testing.B) {
	for _, size := range []int{16 << 10, 256 << 10, 1 << 20} {
		for _, lines := range []int{1, 100} {
			line := "data: " + strings.Repeat("x", size/lines) + "\n"
			stream := "event: message\n" + strings.Repeat(line, lines) + "\n"
			b.Run(fmt.Sprintf("%dKiB/%dlines", size>>10, lines), func(b *testing.B) {
				b.SetBytes(int64(len(stream)))
				b.ReportAllocs()
				for b.Loop() {
					e, err := newEventReader(pieces{strings.NewReader(stream)}, 16<<20).next()
					if err != nil {
						b.Fatal(err)
					}
					runtime.KeepAlive(e)
				}
			})
		}
	}
}

// pieces reads at most 4 KiB at a time.
type pieces struct{ r io.Reader }

// Read reads from the reader below.
func (p pieces) Read(b []byte) (int, error) { return p.r.Read(b[:min(len(b), 4<<10)]) }
