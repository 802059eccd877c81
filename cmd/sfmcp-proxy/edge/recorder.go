package edge

import (
	"net/http"
	"time"
)

// defaultWriteTime is how long a client may take to accept one write of an answer. There is no
// time for a whole answer: event streams live long.
const defaultWriteTime = 30 * time.Second

// recorder notes what a handler answers, for the request's log line, and gives the
// client a time for each write.
type recorder struct {
	http.ResponseWriter
	request   *http.Request
	control   *http.ResponseController
	writeTime time.Duration
	lasting   bool      // the deadline acts at its time, not only on a write
	set       time.Time // when the deadline was set last
	status    int
	bytes     int64
}

// newRecorder gives each write of an answer so long. A deadline of HTTP/2 resets the
// stream when it comes, although nothing is being written, so there it is lifted in
// between.
func newRecorder(w http.ResponseWriter, r *http.Request, writeTime time.Duration) *recorder {
	return &recorder{ResponseWriter: w, request: r, control: http.NewResponseController(w), writeTime: writeTime, lasting: r.ProtoMajor >= 2}
}

// Unwrap lets http.ResponseController reach what is not here.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// SetWriteDeadline does nothing: every write has its deadline already, and one that a
// handler leaves behind would end its stream between two writes.
func (r *recorder) SetWriteDeadline(time.Time) error { return nil }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(p []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	r.setDeadline()
	n, err := r.writeWhole(p)
	r.liftDeadline()
	r.bytes += int64(n)
	return n, err
}

// FlushError sends what is buffered; http.ResponseController calls it.
func (r *recorder) FlushError() error {
	r.setDeadline()
	defer r.liftDeadline()
	return r.control.Flush()
}

// finish gives a deadline to what the server sends after the handler.
func (r *recorder) finish() { r.setDeadline() }

// setDeadline gives the time from now on. Most answers are one write, behind which the server
// sends at once: one that was set a moment ago does. A response without deadlines is one of a
// test or a hijacked connection.
func (r *recorder) setDeadline() {
	now := time.Now()
	if since := now.Sub(r.set); !r.set.IsZero() && !r.lasting && since < r.writeTime/100 {
		return
	}
	r.set = now
	_ = r.control.SetWriteDeadline(now.Add(r.writeTime))
}

func (r *recorder) liftDeadline() {
	if r.lasting {
		_ = r.control.SetWriteDeadline(time.Time{})
	}
}
