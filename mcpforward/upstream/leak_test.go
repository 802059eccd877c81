package upstream

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/mcpforward/jsonrpc"
)

// TestMain fails the run if the tests leave goroutines behind.
func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.fuzz").Value.String() != "" || flag.Lookup("test.fuzzworker").Value.String() == "true" {
		os.Exit(m.Run()) // the fuzzing engine leaves goroutines of its own
	}
	status := m.Run()
	if status == 0 {
		if err := leftBehind(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			status = 1
		}
	}
	os.Exit(status)
}

// leftBehind returns the goroutines that do not end by themselves. goleak alone waits a
// second for them, which is little on a busy machine.
func leftBehind(options ...goleak.Option) (err error) {
	for end := time.Now().Add(plenty); time.Now().Before(end); {
		if err = goleak.Find(options...); err == nil {
			break
		}
	}
	return err
}

// TestAV07AbortedCallsLeaveNothing: 10 000 calls and streams that are given up before the
// head of an answer, in the middle of its stream, after a response to Salesforce, by
// ending the context, closing the answer, or because the time is up, leave no goroutine,
// file descriptor, slot or memory, over both versions of HTTP.
func TestAV07AbortedCallsLeaveNothing(t *testing.T) {
	calls, atOnce := rounds.Sized(t, 1000, 10_000), 16
	for _, http2 := range []bool{false, true} {
		var abort sync.Map // name of what is read, to what gives the call up
		on := func(w http.ResponseWriter, r *http.Request, m *jsonrpc.Message) bool {
			switch {
			case m.Method == http.MethodGet:
				stream(w, notification(toolsChanged))
			case m.Method == "resources/read": // before the head
				params, _ := jsonrpc.ParseObject(m.Params)
				name, _ := params.String("name")
				if cancel, ok := abort.Load(name); ok {
					cancel.(context.CancelFunc)()
				}
			case m.Method == "tools/call":
				stream(w, elicit)
			default:
				return false
			}
			<-r.Context().Done()
			return true
		}
		x := newFixture(t, on)
		if http2 {
			x = over(t, true, on)
		}
		x.fake.forgets = true
		x.target.Client.Elicitation = true
		if _, err := x.Capabilities(t.Context(), x.target); err != nil {
			t.Fatal(err)
		}
		x.abortOnce(t, 0, &abort) // what stays open for good is open now
		ours := goleak.IgnoreCurrent()
		files, heap := openFiles(t), heapInUse()
		next := make(chan int)
		var workers sync.WaitGroup
		for range atOnce {
			workers.Go(func() {
				for i := range next {
					x.abortOnce(t, i, &abort)
				}
			})
		}
		for i := range calls / 2 {
			next <- i
		}
		close(next)
		workers.Wait()
		x.running.Wait()
		x.wire.(*http.Transport).CloseIdleConnections()
		x.fake.CloseClientConnections()
		if err := leftBehind(ours); err != nil {
			t.Errorf("HTTP/2 %v: %v", http2, err)
		}
		deadline := time.Now().Add(plenty)
		for openFiles(t) > files && time.Now().Before(deadline) {
			time.Sleep(10 * time.Millisecond)
		}
		if now := openFiles(t); now > files {
			t.Errorf("HTTP/2 %v: %d files open, %d before", http2, now, files)
		}
		now := heapInUse()
		for i := 0; i < 10 && now > heap+4<<20; i++ { // what pools keep is let go by later collections
			now = heapInUse()
		}
		if now > heap+4<<20 {
			t.Errorf("HTTP/2 %v: heap grew from %d to %d KiB", http2, heap>>10, now>>10)
		}
		x.mu.Lock()
		for key, s := range x.users[userKey{"acme", "005A"}].slots {
			if s.calls != 0 || s.stream != nil || s.opening != nil {
				t.Errorf("HTTP/2 %v: slot %v is held %d times", http2, key, s.calls)
			}
		}
		x.mu.Unlock()
	}
}

// abortOnce makes one call or stream and gives it up, in one of several ways.
func (x *fixture) abortOnce(t *testing.T, i int, abort *sync.Map) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	target := x.target
	switch i % 5 {
	case 0: // before the head
		name := fmt.Sprint("n", i)
		abort.Store(name, cancel)
		defer abort.Delete(name)
		a, err := x.Call(ctx, target, jsonrpc.Request(toolCall.ID, "resources/read", []byte(`{"name":"`+name+`"}`)), i%2 == 0)
		if err == nil {
			a.Close()
			t.Error("a call that was given up before the head has an answer")
		}
		return
	case 1: // listening
		l, err := x.Listen(ctx, target)
		if err != nil {
			t.Error(err)
			return
		}
		if i%2 == 0 {
			cancel()
			_, _ = l.Next(ctx)
		}
		l.Close()
		return
	case 2:
		target.Timeout = 5 * time.Millisecond // may be up at any point
	}
	a, err := x.Call(ctx, target, toolCall, false)
	if err != nil {
		if i%5 != 2 {
			t.Error(err)
		}
		return
	}
	defer a.Close()
	m, err := a.Next(ctx)
	if err != nil {
		if i%5 != 2 {
			t.Error(err)
		}
		return
	}
	switch i % 5 {
	case 3: // after a response
		if err := a.Respond(ctx, yes(string(m.ID))); err != nil && !takenAlong(err) {
			t.Error(err)
		}
	case 4: // in the middle, while waiting for more
		cancel()
		_, _ = a.Next(ctx)
	}
}

// takenAlong reports whether a request may have failed because another one was given up.
// Over HTTP/1.1, net/http lets the next request have a connection before it has told the
// last one of its answer, if that has no body; and when the next is given up in between,
// both end with it.
func takenAlong(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && e.Kind == Unavailable && e.MayHaveHappened && e.Reason == transportReason(context.Canceled)
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("no /proc/self/fd here")
	}
	return len(entries)
}

func heapInUse() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
