package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"sfmcp-proxy/authproxy/audit"
)

// crashSums are what the end of a run found.
type crashSums struct {
	approved, denied, countered, executed, done, unsure int
	issued, reused, records, open, ended, wrong         int
}

// crashLog is what the audit logs of all processes say together.
type crashLog struct {
	records int
	decided map[string]map[audit.Decision]int // by approval
	intents map[string]int                    // calls that were about to be forwarded, by approval
	ends    map[string]int                    // of those
	stayed  map[string]int                    // of those that say that the call was not forwarded
	by      map[audit.Action]int              // that were done
}

// settleAll waits until all processes are ready, and looks at every connection that was cut.
func (run *crashRun) settleAll(workers []*crashWorker) {
	run.t.Helper()
	for _, r := range run.replicas {
		eventually(run.t, plenty, "all replicas are ready at the end", r.ready)
	}
	for _, over := range run.cuts {
		for place := range run.replicas {
			own := *over.client
			if r, err := own.post(at(run.t.Context(), place), "tools/call", userInfo, false); err != nil || r.Status != http.StatusUnauthorized {
				run.t.Errorf("replica %d, of a connection that was cut: %d %s %v", place, r.Status, r.body, err)
			}
		}
	}
	for _, w := range workers { // whoever was let in again is in
		w.read()
	}
}

// account holds what everybody was told against what there is.
func (run *crashRun) account() (sums crashSums) {
	run.t.Helper()
	wrong := func(format string, args ...any) {
		sums.wrong++
		run.t.Errorf(format, args...)
	}
	made := map[string]int{}
	for _, record := range run.demo.records("Account") {
		made[fmt.Sprint(record["Name"])]++
	}
	states, log := run.approvalStates(), run.allLogs()
	for _, w := range run.writes {
		n, state := made[w.name], states[w.approval]
		sums.add(w, n)
		sums.open += log.open(w.approval)
		switch {
		case n > 1:
			wrong("%s: made %d times", w.name, n)
		case w.done && n != 1:
			wrong("%s: its client was told that it is made, and it is not", w.name)
		case n == 1 && !strings.HasPrefix(state, "spent"):
			wrong("%s: made, and its approval is %q", w.name, state)
		case n == 1 && (w.denied || w.countered):
			wrong("%s: made, and a person was told that it is not", w.name)
		case w.approved && strings.HasPrefix(state, "void") && log.open(w.approval) > 0: // nobody knows whether it had left
			sums.ended++
		case w.approved && !strings.HasPrefix(state, "spent") && state != "approved " && !(w.cut && strings.HasPrefix(state, "void")):
			wrong("%s: a person was told that it is approved, and it is %q", w.name, state)
		case w.denied && state != "denied ", w.countered && state != "countered ":
			wrong("%s: denied %v, countered %v, and it is %q", w.name, w.denied, w.countered, state)
		case log.forwarded(w.approval) > 1 || n == 1 && log.forwarded(w.approval)+log.open(w.approval) == 0:
			wrong("%s: made %d times, and by the logs it was forwarded %d times", w.name, n, log.forwarded(w.approval))
		case w.approved && log.decided[w.approval][audit.Approve] == 0, w.denied && log.decided[w.approval][audit.Deny] == 0,
			w.countered && log.decided[w.approval][audit.Counter] == 0:
			wrong("%s: what a person decided is in no log: %v", w.name, log.decided[w.approval])
		}
	}
	for what, counted := range map[audit.Action]int{audit.GrantRevoke: run.revoked, audit.UserBlock: run.blocks, audit.UserUnblock: run.unblocks} {
		if log.by[what] < counted {
			wrong("%s: %d were acknowledged, %d are in the logs", what, counted, log.by[what])
		}
	}
	if n := log.by[audit.DefinitionReject] + log.by[audit.DefinitionAccept]; n < run.definitions {
		wrong("%d decisions about definitions were acknowledged, %d are in the logs", run.definitions, n)
	}
	sums.records = log.records
	run.tokens(&sums, wrong)
	run.verifyTogether()
	return sums
}

func (s *crashSums) add(w *racedWrite, made int) {
	count := func(is bool, into *int) {
		if is {
			*into++
		}
	}
	count(w.approved, &s.approved)
	count(w.denied, &s.denied)
	count(w.countered, &s.countered)
	count(w.done, &s.done)
	count(w.unsure, &s.unsure)
	s.executed += made
}

// tokens counts Salesforce's refresh tokens. A login may be lost, and a spent token shown, where an answer
// was lost with a process that was killed.
func (run *crashRun) tokens(sums *crashSums, wrong func(string, ...any)) {
	var tokens []struct{ Reused int }
	run.control("GET", "/tokens", nil, &tokens)
	sums.issued = len(tokens)
	for _, token := range tokens {
		sums.reused += token.Reused
	}
	if killed := int(run.killed.Load()); sums.open > crashWorkers*killed || sums.reused > killed || int(run.loginsLost.Load()) > 2*killed {
		wrong("%d spent refresh tokens were presented, %d connections were lost, with %d processes killed", sums.reused, run.loginsLost.Load(), killed)
	}
}

// approvalStates are state and outcome of every approval.
func (run *crashRun) approvalStates() map[string]string {
	run.t.Helper()
	rows, err := run.store.Reads.Query(`SELECT id, state, outcome FROM approvals`)
	if err != nil {
		run.t.Fatal(err)
	}
	defer rows.Close()
	out := map[string]string{}
	for rows.Next() {
		var id, state, outcome string
		if err := rows.Scan(&id, &state, &outcome); err != nil {
			run.t.Fatal(err)
		}
		out[id] = state + " " + outcome
	}
	return out
}

// allLogs reads the audit logs of all processes.
func (run *crashRun) allLogs() *crashLog {
	run.t.Helper()
	log := &crashLog{decided: map[string]map[audit.Decision]int{}, intents: map[string]int{}, ends: map[string]int{}, stayed: map[string]int{}, by: map[audit.Action]int{}}
	for _, r := range run.replicas {
		from, into := io.Pipe()
		ended := make(chan int, 1)
		var said lockedBuffer
		go func() {
			ended <- runAs(run.t.Context(), into, &said, "audit", "export", "--config", r.file)
			into.Close()
		}()
		lines := json.NewDecoder(from)
		for {
			var e audit.Entry
			if err := lines.Decode(&e); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				run.t.Fatalf("the exported log of %s: %v", r.file, err)
			}
			log.add(&e)
		}
		if status := <-ended; status != exitDone {
			run.t.Errorf("exporting the log of %s: status %d %s", r.file, status, &said)
		}
	}
	return log
}

// runAs runs the program's command line in this process, where run is another name.
func runAs(ctx context.Context, out, said io.Writer, args ...string) int {
	return run(ctx, args, out, said)
}

// forwarded is how often a call was forwarded by what the logs say of its end. Where clients repeat it at several
// replicas at once, each has an intent, and all but one say afterwards that the approval could not be spent.
func (l *crashLog) forwarded(approval string) int { return l.ends[approval] - l.stayed[approval] }

// open is how many intents of a call have no end, because their process was killed.
func (l *crashLog) open(approval string) int { return l.intents[approval] - l.ends[approval] }

func (l *crashLog) add(e *audit.Entry) {
	l.records++
	switch {
	case e.Action == audit.ApprovalDecide && (e.Outcome == audit.OK || e.Outcome == audit.Intent): // that its process was killed leaves the intent alone
		if l.decided[e.Approval] == nil {
			l.decided[e.Approval] = map[audit.Decision]int{}
		}
		l.decided[e.Approval][e.Decision]++
	case e.Action == audit.ToolCall && e.Tool == "createSobjectRecord" && e.Approval != "" && e.Outcome == audit.Intent:
		l.intents[e.Approval]++
	case e.Action == audit.ToolCall && e.Tool == "createSobjectRecord" && e.Approval != "" && e.IntentSeq != 0:
		l.ends[e.Approval]++
		if e.Outcome == audit.Denied {
			l.stayed[e.Approval]++
		}
	case e.Outcome == audit.OK:
		l.by[e.Action]++
	}
}
