package salesforce

import (
	"context"
	"io"
	"net/http"
	"sync/atomic"
)

// heldKey is the key of a context's condition.
type heldKey struct{}

// WhileHeld returns a context whose requests to Salesforce get their body only if held says so in
// the moment before it leaves. A process that was stopped between taking the lease of a refresh token
// and sending it must not send it when it goes on: another one has spent it by then. A request whose
// body did not leave ends in an [*Error] for which [Error.NotHeld] is true.
func WhileHeld(ctx context.Context, held func() bool) context.Context {
	return context.WithValue(ctx, heldKey{}, held)
}

// NotHeld says that a request was not made because of [WhileHeld].
func (e *Error) NotHeld() bool { return e.Code == notHeld }

// heldBody is the body of such a request, which is where the token is. The transport reads it when the
// connection is there and the headers are on their way, and sends it at once. It reads on to the
// end; what has begun to leave is not called unsent any more, however long the rest takes.
type heldBody struct {
	io.ReadCloser
	held    func() bool
	begun   bool
	refused atomic.Bool
}

func (b *heldBody) Read(p []byte) (int, error) {
	if !b.begun && !b.held() {
		b.refused.Store(true)
		return 0, NewError(notHeld, "not sent: the lease of the refresh token has ended")
	}
	b.begun = true
	return b.ReadCloser.Read(p)
}

// hold makes the body of a request ask the condition of its context; nil: there is none.
func hold(req *http.Request) *heldBody {
	held, ok := req.Context().Value(heldKey{}).(func() bool)
	if !ok || req.Body == nil {
		return nil
	}
	body := &heldBody{ReadCloser: req.Body, held: held}
	req.Body, req.GetBody = body, nil
	return body
}
