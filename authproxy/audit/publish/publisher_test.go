package publish

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// fake is a place whose answers a test decides.
type fake struct {
	mu    sync.Mutex
	err   error
	hang  bool // until the context ends
	stuck chan struct{}
	got   []int64
	times []time.Time
}

func (f *fake) String() string { return "fake" }

func (f *fake) set(err error, hang bool) {
	f.mu.Lock()
	f.err, f.hang = err, hang
	f.mu.Unlock()
}

// received are the sizes of the checkpoints that it took.
func (f *fake) received() []int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.got)
}

func (f *fake) Publish(ctx context.Context, c Checkpoint) error {
	f.mu.Lock()
	err, hang, stuck := f.err, f.hang, f.stuck
	f.times = append(f.times, time.Now())
	f.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	if hang {
		<-ctx.Done()
		return ctx.Err()
	}
	if err == nil {
		f.mu.Lock()
		f.got = append(f.got, c.Size)
		f.mu.Unlock()
	}
	return err
}

func (f *fake) Latest(ctx context.Context, _ Checkpoint) ([]byte, error) {
	f.mu.Lock()
	err, hang, stuck := f.err, f.hang, f.stuck
	f.mu.Unlock()
	if stuck != nil {
		<-stuck
	}
	if hang {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return []byte("checkpoint"), err
}

func start(t *testing.T, places ...Place) (*Publisher, *strings.Builder) {
	var log strings.Builder
	p := Start(Config{Places: places, Log: slog.New(slog.NewTextHandler(&log, nil)), Now: time.Now})
	return p, &log
}

func end(t *testing.T, p *Publisher) {
	t.Helper()
	if err := p.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestEachPlaceGetsTheNewest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		quick, slow := &fake{}, &fake{stuck: make(chan struct{})}
		p, _ := start(t, quick, slow)
		if s := p.States()[0]; s.Size != -1 || !s.Behind.IsZero() || s.Place != "fake" {
			t.Errorf("before the first: %+v", s)
		}
		for size := range int64(5) {
			p.Publish(Checkpoint{Size: size}) // does not wait, though one place does not answer
			synctest.Wait()
		}
		states := p.States()
		if states[0].Size != 4 || !states[0].Behind.IsZero() || len(quick.received()) != 5 {
			t.Errorf("the quick place: %+v, %v", states[0], quick.received())
		}
		if states[1].Size != -1 || states[1].Behind.IsZero() {
			t.Errorf("the slow place: %+v", states[1])
		}
		close(slow.stuck)
		synctest.Wait()
		if s := p.States()[1]; s.Size != 4 || !s.Behind.IsZero() || fmt.Sprint(slow.received()) != "[0 4]" {
			t.Errorf("the slow place at last: %+v, %v", s, slow.received())
		}
		end(t, p)
	})
}

func TestPlaceIsLeftAloneBetween(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := &fake{}
		p := Start(Config{Places: []Place{place}, Every: 10 * time.Second, Log: slog.New(slog.DiscardHandler), Now: time.Now})
		for size := range int64(101) {
			p.Publish(Checkpoint{Size: size})
			time.Sleep(time.Second)
		}
		if n := len(place.received()); n < 10 || n > 12 {
			t.Errorf("%d checkpoints in 100 s: %v", n, place.received())
		}
		if err := p.Flush(t.Context()); err != nil || place.received()[len(place.received())-1] != 100 {
			t.Errorf("flushed: %v %v", place.received(), err)
		}
		end(t, p)
	})
}

func TestPlaceThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := &fake{err: errors.New("no route")}
		p, log := start(t, place)
		began := time.Now()
		p.Publish(Checkpoint{Size: 1})
		time.Sleep(time.Hour)
		p.Publish(Checkpoint{Size: 2})
		synctest.Wait()
		s := p.States()[0]
		if s.Size != -1 || !s.Behind.Equal(began) || s.Failed != "no route" || s.Failures != len(place.times) {
			t.Errorf("while it is down: %+v", s)
		}
		if n := len(place.times); n < 30 || n > 80 {
			t.Errorf("%d attempts in an hour", n)
		}
		place.set(nil, false)
		time.Sleep(longPause)
		if s := p.States()[0]; s.Size != 2 || !s.Behind.IsZero() || s.Failed != "" || s.Failures != 0 || fmt.Sprint(place.received()) != "[2]" {
			t.Errorf("when it is back: %+v, %v", s, place.received())
		}
		end(t, p)
		if strings.Count(log.String(), "level=WARN") != 1 || strings.Count(log.String(), "level=INFO") != 1 {
			t.Errorf("the log:\n%s", log)
		}
	})
}

func TestPlaceThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := &fake{hang: true}
		p, _ := start(t, place)
		began := time.Now()
		p.Publish(Checkpoint{Size: 1})
		time.Sleep(attemptTime + time.Millisecond)
		if s := p.States()[0]; s.Failed != context.DeadlineExceeded.Error() {
			t.Errorf("%+v", s)
		}
		if found := p.Latest(t.Context(), Checkpoint{}); !errors.Is(found[0].Err, context.DeadlineExceeded) || found[0].Place != "fake" {
			t.Errorf("%+v", found)
		}
		if took := time.Since(began); took > 2*attemptTime+time.Second {
			t.Errorf("that took %v", took)
		}
		end(t, p)
	})
}

// A mount that hangs does not listen to its context.
func TestPlaceThatNeverReturns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place, good := &fake{stuck: make(chan struct{})}, &fake{}
		p, _ := start(t, place, good)
		p.Publish(Checkpoint{Size: 1})
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		if err := p.Flush(ctx); err == nil || !strings.Contains(err.Error(), "fake lacks the checkpoint of 1 records") {
			t.Errorf("flushed: %v", err)
		}
		found := p.Latest(t.Context(), Checkpoint{})
		if !errors.Is(found[0].Err, context.DeadlineExceeded) || found[1].Err != nil || string(found[1].Signed) != "checkpoint" {
			t.Errorf("%+v", found)
		}
		if err := p.Close(ctx); err == nil {
			t.Error("it is closed though it hangs")
		}
		close(place.stuck)
		synctest.Wait()
	})
}

func TestFlushTriesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		place := &fake{err: errors.New("no route")}
		p, _ := start(t, place)
		p.Publish(Checkpoint{Size: 7})
		time.Sleep(time.Hour) // the pauses are long now
		place.set(nil, false)
		began := time.Now()
		if err := p.Flush(t.Context()); err != nil || time.Since(began) > 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if fmt.Sprint(place.received()) != "[7]" {
			t.Errorf("got %v", place.received())
		}
		if err := p.Flush(t.Context()); err != nil {
			t.Errorf("with nothing to send: %v", err)
		}
		end(t, p)
	})
}

func TestContradictionIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		p := Start(Config{
			Places: []Place{&fake{err: fmt.Errorf("size 9: %w", ErrContradicted)}}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Contradicted: func(place string, err error) { told = append(told, place+": "+err.Error()) },
		})
		p.Publish(Checkpoint{Size: 1})
		synctest.Wait()
		if len(told) != 1 || !strings.HasPrefix(told[0], "fake: size 9") {
			t.Errorf("told %q", told)
		}
		end(t, p)
	})
}

// What a place has is judged when it is reached for the first time, also when that is long after
// the start, and nothing is written over it that cannot have followed; unless a person said so.
func TestPlaceIsJudgedBeforeItIsWrittenOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		longer := errors.New("the log has 1 entry, and 9 were there")
		place := &fake{err: errors.New("no route to host")}
		var judged, told int
		p := Start(Config{
			Places: []Place{place}, Log: slog.New(slog.DiscardHandler), Now: time.Now,
			Check: func(f Found) error {
				if judged++; string(f.Signed) != "checkpoint" || f.Err != nil {
					t.Errorf("judged is %+v", f)
				}
				return longer
			},
			Contradicted: func(_ string, err error) {
				if told++; !errors.Is(err, longer) {
					t.Errorf("told is %v", err)
				}
			},
		})
		p.Publish(Checkpoint{Size: 1})
		synctest.Wait()
		if judged != 0 || told != 0 {
			t.Errorf("judged %d times, told %d times while it is out of reach", judged, told)
		}
		place.set(nil, false)
		time.Sleep(2 * longPause)
		synctest.Wait()
		if judged == 0 || told == 0 || len(place.received()) != 0 {
			t.Errorf("judged %d times, told %d times, and got %v", judged, told, place.received())
		}
		p.Publish(Checkpoint{Size: 2, Instead: true})
		time.Sleep(2 * longPause)
		synctest.Wait()
		if len(place.received()) != 1 || place.received()[0] != 2 {
			t.Errorf("got %v", place.received())
		}
		end(t, p)
	})
}
