package ui

import (
	"context"
	"net/http"
	"runtime"
	"time"
)

// renderingWait is how long a page waits for its turn to be rendered.
const renderingWait = 5 * time.Second

// rendering holds the turns of all pages of this process, whoever asks for them: more than
// there are processors would each take longer, and hold what they have rendered meanwhile.
var rendering = make(chan struct{}, 2*runtime.GOMAXPROCS(0))

// slot waits for a turn to render a page; done gives it back. false: there was none in time.
func (s Site) slot(ctx context.Context) (done func(), ok bool) {
	turns := rendering
	if s.turns != nil {
		turns = s.turns
	}
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, true
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, renderingWait)
	defer cancel()
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, true
	case <-ctx.Done():
		return nil, false
	}
}

// refuseRendering says in place of a page that there is too much to do. It is plain text: a
// page is what there is no room for.
func refuseRendering(w http.ResponseWriter) {
	setCommonHeaders(w.Header())
	w.Header().Set("Content-Security-Policy", emptyPolicy)
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Retry-After", "5")
	http.Error(w, "too many pages at the moment; try again in a few seconds", http.StatusServiceUnavailable)
}
