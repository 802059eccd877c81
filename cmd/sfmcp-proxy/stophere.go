package main

import (
	"context"
	"os"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
)

// The kill switch of this machine: a file, which a signal makes too. It is for when nothing
// else answers, so what follows it here asks neither the database nor the log first.

const (
	// stopPoll is how often the file is looked for, to end calls that are under way. What
	// begins looks for itself.
	stopPoll = 100 * time.Millisecond
	// recordTime is how long the log may take for one try to record that.
	recordTime = time.Second
	// recordAgain is how long after a try that failed comes the next one.
	recordAgain = 5 * time.Second
)

// stopLoop ends what is under way when everything is stopped here, makes the file when the
// process is told to by a signal, and has both recorded as soon as the log answers.
func (p *process) stopLoop(ctx context.Context, signalled <-chan os.Signal) {
	tick := time.NewTicker(stopPoll)
	defer tick.Stop()
	was, recorded, next := false, p.stopRecorded(ctx), time.Time{}
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signalled:
			if err := p.current.Load().access.StopFile().Set(time.Now(), "signal "+s.String()); err != nil {
				p.log.Error("everything is stopped until this process ends", "error", err)
			}
		case <-tick.C:
		}
		current := p.current.Load()
		here, is := current.access.StoppedHere()
		if is && !was {
			p.log.Warn(here.String())
			current.forward.Recheck(ctx)
		} else if was && !is {
			p.log.Warn("nothing is stopped on this machine any more: the file is gone")
		}
		was = is
		if is != recorded && !time.Now().Before(next) {
			if err := current.recordStop(ctx, here, is); err != nil {
				p.log.Error("audit entry is late", "action", audit.StopHere, "error", err)
				next = time.Now().Add(recordAgain)
				continue
			}
			recorded = is
		}
	}
}

// Objects of the entries about the kill switch of this machine.
const (
	stoppedHere = "all"
	liftedHere  = "off"
)

// stopRecorded is what the log says last of the kill switch of this machine.
func (p *process) stopRecorded(ctx context.Context) (stopped bool) {
	ctx, cancel := context.WithTimeout(ctx, recordTime)
	defer cancel()
	_ = p.current.Load().audit.List(ctx, audit.Filter{Action: string(audit.StopHere), Limit: 1}, func(e audit.Entry) error { // what cannot be read is recorded once more
		stopped = e.Object == stoppedHere
		return nil
	})
	return stopped
}

// recordStop records that everything is stopped here, or is not any more.
func (p *product) recordStop(ctx context.Context, here access.Here, is bool) error {
	ctx, cancel := context.WithTimeout(audit.WithOrigin(ctx, audit.Origin{Source: "stop file"}), recordTime)
	defer cancel()
	e := audit.Entry{Actor: actor.Proxy, Action: audit.StopHere, Object: liftedHere, Outcome: audit.OK, Reason: "the file is gone"}
	if is {
		e.Object, e.Reason = stoppedHere, strings.TrimPrefix(here.String(), "everything is stopped ")
	}
	_, err := p.audit.Append(ctx, e)
	return err
}
