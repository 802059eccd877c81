package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"sfmcp-proxy/examples/salesforcesim"
)

// crashRace is one kind of race.
type crashRace struct {
	kind string
	run  func(*crashWorker)
}

// crashRaces are all kinds, each as often as the others.
var crashRaces = []crashRace{
	{"approve against deny", (*crashWorker).raceDecisions},
	{"spend at all", (*crashWorker).raceSpends},
	{"approve against counter-proposal", (*crashWorker).raceProposal},
	{"code at all", (*crashWorker).raceCode},
	{"refresh token at all", (*crashWorker).raceRefresh},
	{"cut-off against spend", (*crashWorker).raceCut},
	{"two administrators, one person", (*crashWorker).raceBlocks},
	{"two administrators, one definition", (*crashWorker).raceDefinition},
}

// work races until there were enough.
func (w *crashWorker) work() {
	for next := w.ids.IntN(len(crashRaces)); !w.enough(); next++ {
		w.read()
		race := crashRaces[next%len(crashRaces)]
		race.run(w)
		w.lookAtCuts()
		w.mu.Lock()
		w.done[race.kind]++
		w.mu.Unlock()
	}
}

// everywhere does one thing as many times at once as there are [racers], each at another replica if there are as many;
// what is lost with a process is not repeated.
func (w *crashWorker) everywhere(f func(ctx context.Context, place int)) {
	var all sync.WaitGroup
	for _, place := range w.ids.Perm(racers) {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(at(w.t.Context(), place), 30*time.Second)
			defer cancel()
			f(ctx, place)
		})
	}
	all.Wait()
}

// until repeats what a process that is killed does not answer, at one replica after the other.
func (w *crashWorker) until(what string, f func(ctx context.Context) error) bool {
	end := time.Now().Add(plenty)
	for place := w.ids.IntN(len(w.replicas)); ; place++ {
		ctx, cancel := context.WithTimeout(at(w.t.Context(), place), 30*time.Second)
		err := f(ctx)
		cancel()
		if err == nil {
			return true
		}
		w.mu.Lock()
		w.repeats[what]++
		w.mu.Unlock()
		if time.Now().After(end) {
			w.t.Errorf("%s: %s: %v", w.user, what, err)
			return false
		}
		time.Sleep(40 * time.Millisecond) // as clients do
	}
}

// connected signs the user in for a server and opens a session.
func (w *crashWorker) connected(server string) (c *mcpClient) {
	w.until("signing in", func(ctx context.Context) (err error) {
		var form url.Values
		if c, form, err = w.code(ctx, w.browser, server, w.user); err != nil {
			return err
		}
		if status, body, err := c.redeem(ctx, form); err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %s %w", status, body, err)
		}
		return nil
	})
	if c == nil {
		w.t.FailNow()
	}
	w.until("opening a session", func(ctx context.Context) error { return c.openSession(ctx) })
	return c
}

// openSession is initialize for clients whose proxy may be killed meanwhile.
func (c *mcpClient) openSession(ctx context.Context) error {
	r, err := c.post(ctx, "initialize", map[string]any{"protocolVersion": latestSessions, "capabilities": map[string]any{},
		"clientInfo": map[string]any{"name": "test", "version": "1"}}, false)
	if err != nil || r.Status != http.StatusOK || r.Header.Get("Mcp-Session-Id") == "" {
		return fmt.Errorf("initialize: %d %s %w", r.Status, r.body, err)
	}
	c.session = r.Header.Get("Mcp-Session-Id")
	if r, err = c.post(ctx, "notifications/initialized", nil, true); err != nil || r.Status != http.StatusAccepted {
		c.session = ""
		return fmt.Errorf("notifications/initialized: %d %s %w", r.Status, r.body, err)
	}
	return nil
}

// again signs in where the login is lost, and says so.
func (w *crashWorker) again(c **mcpClient, server string) error {
	w.loginsLost.Add(1)
	*c = w.connected(server)
	return fmt.Errorf("signed in again for %s", server)
}

// read makes one read.
func (w *crashWorker) read() {
	w.until("reading", func(ctx context.Context) error {
		switch r, err := w.reading.post(ctx, "tools/call", userInfo, false); {
		case err != nil:
			return err
		case r.Status == http.StatusUnauthorized:
			return w.again(&w.reading, "sobject-reads")
		case r.Status != http.StatusOK || r.Result.IsError || !strings.Contains(r.body, w.user):
			return fmt.Errorf("%d %s", r.Status, r.body)
		}
		w.reads.Add(1)
		return nil
	})
}

// hold asks for a new write until it waits for a person.
func (w *crashWorker) hold() *racedWrite {
	w.n++
	write := &racedWrite{name: fmt.Sprintf("%s %d", w.user, w.n)}
	w.until("a write comes to wait", func(ctx context.Context) error {
		r, err := w.writing.post(ctx, "tools/call", write.call(), false)
		if err == nil && r.Status == http.StatusUnauthorized {
			return w.again(&w.writing, "sobject-reviewed")
		}
		if err != nil || !strings.Contains(r.text(), "/approvals/") {
			return fmt.Errorf("%d %s %w", r.Status, r.body, err)
		}
		write.approval = path.Base(w.approvalURL(r))
		return nil
	})
	w.remember(write)
	return write
}

func (w *crashWorker) remember(write *racedWrite) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.writes = append(w.writes, write)
}

func (r *racedWrite) call() any {
	return map[string]any{"name": "createSobjectRecord", "arguments": account(r.name)}
}

func (w *crashWorker) address(write *racedWrite) string {
	return w.PublicURL + "/approvals/" + write.approval
}

// became says what the database has of a write and of its connection.
func (w *crashWorker) became(write *racedWrite) string {
	var state, why, grant, ended string
	var revoked int64
	err := w.store.Reads.QueryRow(`SELECT a.state, a.why, a.grant_id, g.revoked_at, g.revoked_why FROM approvals a LEFT JOIN grants g ON g.id = a.grant_id WHERE a.id = $1`,
		write.approval).Scan(&state, &why, &grant, &revoked, &ended)
	return fmt.Sprintf("%s is %s %s, its connection %s ended at %d: %s %v", write.approval, state, why, grant, revoked, ended, err)
}

// visit opens the page of a call. Where the process was killed that read an approver's roles again, which is done
// every quarter of an hour, the answer with the new session is lost, and they sign in anew.
func (w *crashWorker) visit(ctx context.Context, a crashApprover, write *racedWrite) (*salesforcesim.Page, error) {
	page, err := a.Get(ctx, w.address(write))
	if err != nil || !strings.Contains(page.Body, "Continue with your company") {
		return page, err
	}
	w.mu.Lock()
	w.repeats["an approver's sign-in"]++
	w.mu.Unlock()
	return w.company.signedIn(ctx, a.Browser, "/approvals/"+write.approval, a.who)
}

// opened is the page of a call that waits, as an approver has it in front of them.
func (w *crashWorker) opened(a crashApprover, write *racedWrite) (page *salesforcesim.Page) {
	good := w.until("opening the page of a call", func(ctx context.Context) (err error) {
		if page, err = w.visit(ctx, a, write); err != nil {
			return err
		}
		if strings.Contains(page.Body, `class="note void"`) {
			return errors.New(w.became(write))
		}
		if !slices.ContainsFunc(page.Forms, func(f salesforcesim.Form) bool { return len(f.Buttons["decision"]) > 0 }) {
			return fmt.Errorf("%d %s", page.Status, page.Body)
		}
		return nil
	})
	if !good {
		w.t.Logf("of %s nothing can be decided", w.became(write))
		return nil
	}
	return page
}

// choose clicks, and says whether the click counted as far as the page says that comes then.
func (w *crashWorker) choose(ctx context.Context, a crashApprover, page *salesforcesim.Page, decision string) bool {
	after, err := a.Choose(ctx, page, "decision", decision)
	return err == nil && after.Status == http.StatusOK && strings.Contains(after.URL, "/approvals/")
}

// approve approves, as a person does whose click may be lost.
func (w *crashWorker) approve(a crashApprover, write *racedWrite) {
	w.until("approving", func(ctx context.Context) error {
		page, err := w.visit(ctx, a, write)
		if err != nil {
			return err
		}
		if strings.Contains(page.Body, `class="note approved"`) {
			write.approved = true
			return nil
		}
		if strings.Contains(page.Body, `class="note void"`) {
			w.t.Errorf("what waited is over: %s", w.became(write))
			write.anew = true
			return nil
		}
		if write.approved = w.choose(ctx, a, page, "approve"); !write.approved {
			return fmt.Errorf("%d %s", page.Status, page.Body)
		}
		return nil
	})
}

// told notes what a client is told of a write.
func (r *racedWrite) told(answer reply, err error) {
	r.done = r.done || err == nil && strings.Contains(answer.text(), toldDone)
	r.unsure = r.unsure || err == nil && (strings.Contains(answer.text(), toldUnsure) || strings.Contains(answer.text(), "It was not sent again."))
}

// spend asks for an approved write until its client is told how it ended.
func (w *crashWorker) spend(write *racedWrite) {
	if write.ended() || write.anew {
		return
	}
	w.until("spending an approval", func(ctx context.Context) error {
		r, err := w.writing.post(ctx, "tools/call", write.call(), false)
		if write.told(r, err); write.ended() {
			return nil
		}
		if err == nil && r.Status == http.StatusUnauthorized { // another connection, for which nothing was approved
			write.cut = true
			_ = w.again(&w.writing, "sobject-reviewed")
			return nil
		}
		if err == nil && strings.Contains(r.text(), "/approvals/") && !strings.Contains(r.text(), write.approval) {
			w.t.Logf("approved as %s and held anew: %s", write.name, w.became(write))
			write.anew = true
			return nil
		}
		return fmt.Errorf("%d %s %w", r.Status, r.body, err)
	})
}

// spendAt asks for a write at all replicas of places at once.
func (w *crashWorker) spendAt(ctx context.Context, write *racedWrite, place int, mu *sync.Mutex) {
	own := *w.writing
	own.id = 1_000_000_000 + 10*w.n + place
	r, err := own.post(ctx, "tools/call", write.call(), false)
	mu.Lock()
	defer mu.Unlock()
	write.told(r, err)
}

// raceDecisions: one approver approves, twice, while another denies.
func (w *crashWorker) raceDecisions() {
	write, deny := w.hold(), w.ids.IntN(racers)
	pages := [2]*salesforcesim.Page{w.opened(w.approvers[0], write), w.opened(w.approvers[1], write)}
	if pages[0] == nil || pages[1] == nil {
		return
	}
	var mu sync.Mutex
	w.everywhere(func(ctx context.Context, place int) {
		who, decision := 0, "approve"
		if place == deny {
			who, decision = 1, "deny"
		}
		counted := w.choose(ctx, w.approvers[who], pages[who], decision)
		mu.Lock()
		defer mu.Unlock()
		write.approved = write.approved || counted && who == 0
		write.denied = write.denied || counted && who == 1
	})
	if write.approved && write.denied {
		w.t.Errorf("%s: both were told that their decision counts", write.approval)
	}
	if write.approved {
		w.spend(write)
	}
}

// raceSpends: the client repeats an approved call at all replicas at once.
func (w *crashWorker) raceSpends() {
	write := w.hold()
	w.approve(w.approvers[0], write)
	var mu sync.Mutex
	w.everywhere(func(ctx context.Context, place int) { w.spendAt(ctx, write, place, &mu) })
	w.spend(write)
}

// raceProposal: one approver proposes other values while another approves; what was proposed is then approved and made.
func (w *crashWorker) raceProposal() {
	write, propose := w.hold(), w.ids.IntN(racers)
	other := &racedWrite{name: write.name + " as proposed"}
	pages := [2]*salesforcesim.Page{w.opened(w.approvers[0], write), w.opened(w.approvers[1], write)}
	arguments, err := json.Marshal(account(other.name))
	if err != nil || pages[0] == nil || pages[1] == nil {
		w.t.Error(err)
		return
	}
	var mu sync.Mutex
	w.everywhere(func(ctx context.Context, place int) {
		if place != propose {
			counted := w.choose(ctx, w.approvers[1], pages[1], "approve")
			mu.Lock()
			defer mu.Unlock()
			write.approved = write.approved || counted
			return
		}
		form := pages[0].Forms[slices.IndexFunc(pages[0].Forms, func(f salesforcesim.Form) bool { return len(f.Buttons["decision"]) > 0 })]
		form.Action += "/counter"
		after, err := w.approvers[0].Submit(ctx, pages[0], form, url.Values{"arguments": {string(arguments)}})
		if err == nil && after.Status == http.StatusOK && !strings.Contains(after.URL, write.approval) {
			mu.Lock()
			defer mu.Unlock()
			write.countered, other.approval = true, path.Base(after.URL)
		}
	})
	switch {
	case write.approved && write.countered:
		w.t.Errorf("%s: both were told that what they did counts", write.approval)
	case write.approved:
		w.spend(write)
	case write.countered:
		w.remember(other)
		w.approve(w.approvers[1], other)
		w.spend(other)
	}
}

// raceCode: one code is redeemed at all replicas at once.
func (w *crashWorker) raceCode() {
	var form url.Values
	w.until("getting a code", func(ctx context.Context) (err error) {
		_, form, err = w.code(ctx, w.browser, "acme-ops", w.user)
		return err
	})
	var mu sync.Mutex
	got := 0
	w.everywhere(func(ctx context.Context, _ int) {
		if status, _, err := w.postForm(ctx, "/oauth/token", form); err == nil && status == http.StatusOK {
			mu.Lock()
			defer mu.Unlock()
			got++
		}
	})
	if got > 1 {
		w.t.Errorf("a code was redeemed %d times", got)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.redeemed += got
}

// raceRefresh: one refresh token of ours is rotated at all replicas at once. All that answer give the same
// successor, and if none does, the predecessor is good for another try.
func (w *crashWorker) raceRefresh() {
	form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {w.reading.refresh}, "client_id": {w.ClientID}, "resource": {w.reading.url}}
	before := *w.reading
	var mu sync.Mutex
	successors := map[string]mcpClient{}
	rotate := func(ctx context.Context) error {
		own := before
		status, body, err := own.redeem(ctx, form)
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %s %w", status, body, err)
		}
		mu.Lock()
		defer mu.Unlock()
		successors[own.refresh] = own
		return nil
	}
	w.everywhere(func(ctx context.Context, _ int) { _ = rotate(ctx) })
	if len(successors) == 0 {
		w.until("rotating a refresh token after all answers were lost", rotate)
	}
	if len(successors) > 1 {
		w.t.Errorf("a refresh token has %d successors", len(successors))
	}
	for _, next := range successors {
		w.reading = &next
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rotated++
}
