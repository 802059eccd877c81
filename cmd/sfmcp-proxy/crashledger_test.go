package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/audit"
)

// crashSums are what the end of a run found.
type crashSums struct {
	approved, denied, countered, executed, done, unsure int
	issued, reused, records, open, ended, wrong         int
	pending                                             int // intents without their end
}

// crashLog is what the audit logs of all processes say together.
type crashLog struct {
	records int
	decided map[string]map[audit.Decision]int // by approval: what was recorded as done
	halved  map[string]map[audit.Decision]int // intents of that whose process was killed before it could record the end
	pending map[logEntry]audit.Entry          // all intents that have no end
	intents map[string]int                    // calls that were about to be forwarded, by approval
	ends    map[string]int                    // of those
	stayed  map[string]int                    // of those that say that the call was not forwarded, or not made
	by      map[audit.Action]int              // that were done
}

// logEntry is an entry of the log of one process.
type logEntry struct {
	place int
	seq   int64
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
		case w.approved && !log.has(w.approval, audit.Approve), w.denied && !log.has(w.approval, audit.Deny), w.countered && !log.has(w.approval, audit.Counter):
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
	sums.records, sums.pending = log.records, len(log.pending)
	run.intents(log, wrong)
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

// mostPending is how long a process may take from an intent to its end, and mostAtOnce how many it may have then:
// a worker asks a process for one thing at a time, which may be several acts.
const mostPending, mostAtOnce = time.Minute, 3 * crashWorkers

// intents looks that each intent without its end is of a process that was killed soon after it.
func (run *crashRun) intents(log *crashLog, wrong func(string, ...any)) {
	atOnce := map[time.Time]int{}
	for at, e := range log.pending {
		kills := run.kills[at.place] // in their order
		next := slices.IndexFunc(kills, func(killed time.Time) bool { return killed.After(e.At) })
		if next < 0 || kills[next].Sub(e.At) > mostPending {
			wrong("log %d: the intent %d (%s) of %s has no end, and its process was not killed", at.place, at.seq, e.Action, e.At)
			continue
		}
		if atOnce[kills[next]]++; atOnce[kills[next]] == mostAtOnce+1 {
			wrong("log %d: more than %d intents before a kill have no end, as entry %d (%s)", at.place, mostAtOnce, at.seq, e.Action)
		}
	}
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
	log := &crashLog{decided: map[string]map[audit.Decision]int{}, halved: map[string]map[audit.Decision]int{}, pending: map[logEntry]audit.Entry{}, intents: map[string]int{}, ends: map[string]int{}, stayed: map[string]int{}, by: map[audit.Action]int{}}
	for place, r := range run.replicas {
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
			log.add(place, &e)
		}
		if status := <-ended; status != exitDone {
			run.t.Errorf("exporting the log of %s: status %d %s", r.file, status, &said)
		}
	}
	for _, e := range log.pending {
		if e.Action == audit.ApprovalDecide {
			countDecision(log.halved, &e)
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

// has says whether a decision was recorded: with its end, or as an intent whose process was killed before it could
// record that. Whoever opens the page then sees the decision, because it had been made.
func (l *crashLog) has(approval string, decision audit.Decision) bool {
	return l.decided[approval][decision]+l.halved[approval][decision] > 0
}

// countDecision counts the decision of an entry.
func countDecision(in map[string]map[audit.Decision]int, e *audit.Entry) {
	if in[e.Approval] == nil {
		in[e.Approval] = map[audit.Decision]int{}
	}
	in[e.Approval][e.Decision]++
}

func (l *crashLog) add(place int, e *audit.Entry) {
	l.records++
	if e.Outcome == audit.Intent {
		l.pending[logEntry{place, e.Seq}] = *e
	}
	delete(l.pending, logEntry{place, e.IntentSeq})
	switch {
	case e.Action == audit.ApprovalDecide && e.Outcome == audit.OK:
		countDecision(l.decided, e)
	case e.Action == audit.ToolCall && e.Tool == "createSobjectRecord" && e.Approval != "" && e.Outcome == audit.Intent:
		l.intents[e.Approval]++
	case e.Action == audit.ToolCall && e.Tool == "createSobjectRecord" && e.Approval != "" && e.IntentSeq != 0:
		l.ends[e.Approval]++
		if e.Outcome == audit.Denied || e.Outcome == audit.Failed { // it did not leave, or Salesforce did not do it
			l.stayed[e.Approval]++
		}
	case e.Outcome == audit.OK:
		l.by[e.Action]++
	}
}
