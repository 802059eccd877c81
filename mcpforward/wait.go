package mcpforward

import (
	"fmt"
	"sync"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/mcpforward/jsonrpc"
	"sfmcp-proxy/mcpforward/limit"
)

// The first answer to a call that waits for a person can be held back for a while
// (Config.ApprovalWait): somebody who is at hand decides within seconds, and the call is then
// made without a repeat. The decision may be made in another process, so it is looked for.

// decisionPause is the time between two looks at a request that waits.
const decisionPause = 250 * time.Millisecond

// waitsPerUser bounds how many calls of one user are held back at a time. Each keeps a place
// of those that the user and the server have for calls under way.
const waitsPerUser = 4

// waits counts the calls that are held back. The zero value is ready.
type waits struct {
	mu sync.Mutex
	of map[limit.User]int
}

// enter counts one more, unless the user has enough.
func (w *waits) enter(user limit.User) (leave func(), ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.of[user] >= waitsPerUser {
		return nil, false
	}
	if w.of == nil {
		w.of = map[limit.User]int{}
	}
	w.of[user]++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.of[user]--; w.of[user] == 0 {
			delete(w.of, user)
		}
	}, true
}

// awaitDecision holds the call back until its request is decided or the time for that is over.
// It ends with the call: when its client goes, its access is taken away, or everything stops.
func (c *askingClient) awaitDecision() error {
	if c.ApprovalWait <= 0 || c.approval.State != approval.Pending {
		return nil
	}
	leave, ok := c.waits.enter(c.user())
	if !ok {
		return nil
	}
	defer leave()
	c.reportWaiting()
	over := time.NewTimer(c.ApprovalWait)
	defer over.Stop()
	look := time.NewTicker(decisionPause)
	defer look.Stop()
	for {
		select {
		case <-c.waiting.Done():
			return c.interrupted()
		case <-over.C:
			return nil
		case <-look.C:
		}
		a, err := c.Approvals.Get(c.waiting, c.approval.ID)
		if c.waiting.Err() != nil {
			return c.interrupted()
		}
		if err != nil {
			return unavailable("the approval could not be read, so the call was not made", err)
		}
		a.AnswerOnly(c.grant.ID)
		if c.approval = a; a.State != approval.Pending {
			return nil
		}
	}
}

// reportWaiting says what is waited for, to a client that asked for progress.
func (c *askingClient) reportWaiting() {
	meta, _ := c.request.params.Object("_meta")
	token, asked := meta.Get("progressToken")
	if !asked || !c.out.TakesEvents() {
		return
	}
	message := "This call waits for a person to approve it: " + c.address(c.approval)
	// That the client has gone shows when it is answered.
	_ = c.out.Notify(jsonrpc.Request(nil, "notifications/progress",
		fmt.Appendf(nil, `{"progressToken":%s,"progress":0,"message":%s}`, token, jsonrpc.Quote(message))))
}
