package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// raceCut: the client ends its connection while it spends an approval.
func (w *crashWorker) raceCut() {
	write, revoke := w.hold(), w.ids.IntN(racers)
	w.approve(w.approvers[0], write)
	var mu sync.Mutex
	acknowledged := false
	w.everywhere(func(ctx context.Context, place int) {
		if place != revoke {
			w.spendAt(ctx, write, place, &mu)
			return
		}
		status, _, err := w.postForm(ctx, "/oauth/revoke", url.Values{"token": {w.writing.refresh}, "client_id": {w.ClientID}})
		acknowledged = err == nil && status == http.StatusOK
	})
	write.cut = true
	if acknowledged {
		w.cutNow()
		w.mu.Lock()
		w.revoked++
		w.mu.Unlock()
	}
	w.writing = w.connected("sobject-reviewed")
}

// cutNow notes that the end of the connection was acknowledged.
func (w *crashWorker) cutNow() {
	w.ended = append(w.ended, cut{w.writing, time.Now()})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cuts = append(w.cuts, w.ended[len(w.ended)-1])
}

// lookAtCuts looks that no replica takes a token whose end was acknowledged more than a second ago (D13).
func (w *crashWorker) lookAtCuts() {
	for ; w.checked < len(w.ended) && time.Since(w.ended[w.checked].at) > time.Second; w.checked++ {
		over := w.ended[w.checked]
		w.everywhere(func(ctx context.Context, place int) {
			own := *over.client
			r, err := own.post(ctx, "tools/call", userInfo, false)
			if err == nil && r.Status != http.StatusUnauthorized && r.Status < 500 {
				w.t.Errorf("replica %d answers a connection that was cut %v before: %d %s", place, time.Since(over.at), r.Status, r.body)
			}
		})
	}
}

// administer is an act of one of the administrators' programs.
func (run *crashRun) administer(ctx context.Context, who int, method, address string, body any, match string) (status int, answer apiAnswer, err error) {
	var text []byte
	if body != nil {
		if text, err = json.Marshal(body); err != nil {
			return 0, answer, err
		}
	}
	r, err := http.NewRequestWithContext(ctx, method, run.PublicURL+"/console/api/v1"+address, bytes.NewReader(text))
	if err != nil {
		return 0, answer, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	r.Header.Set("Authorization", "Bearer "+run.security[who])
	if match != "" {
		r.Header.Set("If-Match", match)
	}
	resp, err := run.demo.client().Do(r)
	if err != nil {
		return 0, answer, err
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	return resp.StatusCode, apiAnswer{resp.StatusCode, resp.Header, string(all)}, err
}

// raceBlocks: two administrators block a person while a client of theirs spends an approval, and let them in again, both at once.
func (w *crashWorker) raceBlocks() {
	write, spend := w.hold(), w.ids.IntN(racers)
	w.approve(w.approvers[0], write)
	person, acknowledged := "/people/acme/"+w.subject, 0
	var mu sync.Mutex
	w.everywhere(func(ctx context.Context, place int) {
		if place == spend {
			w.spendAt(ctx, write, place, &mu)
			return
		}
		status, _, err := w.administer(ctx, place%2, http.MethodPost, person+"/block", reason, "")
		mu.Lock()
		defer mu.Unlock()
		if err == nil && status == http.StatusOK {
			acknowledged++
		}
	})
	write.cut = true
	if acknowledged > 0 {
		w.cutNow()
		w.ended = append(w.ended, cut{w.reading, time.Now()})
	}
	if acknowledged < racers-1 {
		w.allBack() // a block without an answer may take effect when its process starts again
	}
	lifted := 0
	w.everywhere(func(ctx context.Context, place int) {
		status, _, err := w.administer(ctx, place%2, http.MethodPost, person+"/unblock", reason, "")
		mu.Lock()
		defer mu.Unlock()
		if err == nil && status == http.StatusOK {
			lifted++
		}
	})
	w.until("letting a person in again", func(ctx context.Context) error {
		status, answer, err := w.administer(ctx, 0, http.MethodPost, person+"/unblock", reason, "")
		if err == nil && status == http.StatusNotFound { // this replica has not seen the block yet
			err = errors.New("not yet")
		}
		if err == nil && status == http.StatusOK {
			lifted++
		}
		if err != nil || status != http.StatusOK && status != http.StatusConflict {
			return fmt.Errorf("%d %s %w", status, answer.Body, err)
		}
		return nil
	})
	w.mu.Lock()
	w.blocks += acknowledged
	w.unblocks += lifted
	w.mu.Unlock()
	w.writing, w.reading = w.connected("sobject-reviewed"), w.connected("sobject-reads")
}

// allBack waits until each process was ready once.
func (w *crashWorker) allBack() {
	for i, r := range w.replicas {
		for end := time.Now().Add(plenty); !r.ready(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				w.t.Errorf("replica %d is not ready for %v", i, plenty)
				return
			}
		}
	}
}

// definitionRaces keeps those races apart from each other: each begins with what there is.
var definitionRaces sync.Mutex

// raceDefinition: two administrators decide about one definition that both have seen as it is, one so and one so. Whoever
// would undo what the other one did after that look has to be told that it moved.
func (w *crashWorker) raceDefinition() {
	definitionRaces.Lock()
	defer definitionRaces.Unlock()
	seen := w.definition()
	states, decisions := [2]any{"accepted", "rejected"}, [2]string{"accept", "reject"}
	other := 1 // the decision that changes something
	if seen.member("definitions.0.state") == states[1] {
		other = 0
	}
	var mu sync.Mutex
	var counted [2]int
	w.everywhere(func(ctx context.Context, place int) {
		act := map[string]any{"digest": seen.member("definitions.0.digest"), "decision": decisions[place%2]}
		status, _, err := w.administer(ctx, place%2, http.MethodPut, definitionPath+"/decision", act, seen.Header.Get("ETag"))
		mu.Lock()
		defer mu.Unlock()
		if err == nil && status == http.StatusOK {
			counted[place%2]++
		}
	})
	if now := w.definition().member("definitions.0.state"); counted[other] > 1 || counted[other] == 1 && now != states[other] {
		w.t.Errorf("a definition is %v, and %d were told that they changed it to %v", now, counted[other], states[other])
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.definitions += counted[other]
}

const definitionPath = "/tools/sobject-reads/find"

// definition is how an administrator sees it.
func (w *crashWorker) definition() (seen apiAnswer) {
	w.until("looking at a definition", func(ctx context.Context) (err error) {
		var status int
		if status, seen, err = w.administer(ctx, 0, http.MethodGet, definitionPath, nil, ""); err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %s %w", status, seen.Body, err)
		}
		return nil
	})
	return seen
}
