package authproxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/grant"
)

// Target is whom an incident is about: a person, or a client.
type Target struct {
	Org, Subject string
	Client       string // empty: the person
}

// Step is one thing that was done to contain an incident, and whether it turned out to be so when
// it was looked at again.
type Step struct {
	Name string `json:"step"` // refused, connections, approvals, sessions, recorded, processes, salesforce, evidence
	Text string `json:"text"`
	// Confirmed says that it was looked at afterwards, and is so.
	Confirmed bool `json:"confirmed"`
	// Problem is what keeps it from being confirmed.
	Problem string `json:"problem,omitempty"`
}

// Containment is what was done to contain an incident.
type Containment struct {
	Target
	// People are those who lost a connection, or the person.
	People []grant.User
	Ended  Ended
	Steps  []Step

	told func(Step)
}

// Confirmed reports whether each step turned out to be so.
func (c *Containment) Confirmed() bool {
	for _, s := range c.Steps {
		if !s.Confirmed {
			return false
		}
	}
	return true
}

// Add notes a step, and tells of it at once.
func (c *Containment) Add(name, text string, problem error) {
	s := Step{Name: name, Text: text, Confirmed: problem == nil}
	if problem != nil {
		s.Problem = problem.Error()
	}
	c.Steps = append(c.Steps, s)
	if c.told != nil {
		c.told(s)
	}
}

// Contain blocks whom an incident is about, ends what they have, and looks at each part again:
// what came between is ended too, and keeps the step from being confirmed. told hears of each
// step when it is done; nil: nobody does. It ends access here; whether Salesforce knows is for
// [Cutoff.AwaitSalesforce], what is kept as evidence for the caller.
func (c *Cutoff) Contain(ctx context.Context, whom Target, act Act, told func(Step)) *Containment {
	ctx = context.WithoutCancel(ctx) // whoever closes the page stops nothing
	done := &Containment{Target: whom, told: told}
	var failed error
	if whom.Client != "" {
		failed = c.containClient(ctx, done, act)
	} else {
		failed = c.containUser(ctx, done, act)
	}
	done.Add("recorded", "the audit log says who did it, and why", failed)
	c.Access.AwaitProcesses()
	done.Add("processes", "every process goes by it within a second: calls and streams under way end", nil)
	return done
}

func (c *Cutoff) containUser(ctx context.Context, done *Containment, act Act) (failed error) {
	org, subject := done.Org, done.Subject
	done.Ended, failed = c.BlockUser(ctx, org, subject, act)
	u, err := c.Grants.User(ctx, org, subject)
	if err == nil {
		done.People = []grant.User{*u}
		if !u.Blocked() {
			err = errors.New("they are not refused")
		}
	}
	done.Add("refused", "they are refused from now on", err)
	left, err := c.Grants.LiveGrants(ctx, org, subject)
	done.Add("connections", ended(done.Ended.Connections, "connection"), errors.Join(err, noneLeft(left)))
	left, err = c.Approvals.Void(ctx, approval.VoidFilter{Org: org, Subject: subject}, act.Why)
	done.Add("approvals", ended(done.Ended.Approvals, "waiting or approved call"), errors.Join(err, noneLeft(left)))
	left, err = c.Sessions.EndUser(ctx, org, subject)
	asPerson, personErr := c.People.EndLinked(ctx, org, subject)
	done.Add("sessions", ended(done.Ended.Sessions, "browser session"), errors.Join(err, personErr, noneLeft(left+asPerson)))
	return failed
}

func (c *Cutoff) containClient(ctx context.Context, done *Containment, act Act) error {
	id := done.Client
	grants, approvals, failed := c.BlockClient(ctx, id, act)
	done.Ended = Ended{Connections: len(grants), Approvals: approvals}
	seen := map[[2]string]bool{}
	for _, g := range grants {
		if key := [2]string{g.Org, g.Subject}; !seen[key] {
			seen[key] = true
			done.People = append(done.People, grant.User{Org: g.Org, Subject: g.Subject, Username: g.Username, Name: g.Name})
		}
	}
	blocked, err := c.Clients.Blocked(ctx)
	if err == nil && !blocked[id] {
		err = errors.New("it is not refused")
	}
	done.Add("refused", "the client is refused from now on", err)
	left, err := c.Grants.RevokeClient(ctx, id, act.Why)
	done.Add("connections", ended(len(grants), "connection")+fmt.Sprintf(", of %d people", len(done.People)), errors.Join(err, noneLeft(len(left))))
	n, err := c.Approvals.Void(ctx, approval.VoidFilter{ClientID: id}, act.Why)
	done.Add("approvals", ended(approvals, "waiting or approved call"), errors.Join(err, noneLeft(n)))
	return failed
}

func ended(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " ended"
	}
	return fmt.Sprintf("%d %ss ended", n, noun)
}

// noneLeft is an error if something was left when it was looked at again.
func noneLeft(n int) error {
	if n == 0 {
		return nil
	}
	return fmt.Errorf("%d more were there when it was looked at again: contain once more", n)
}

// salesforcePoll is how often it is looked whether Salesforce was told.
const salesforcePoll = 50 * time.Millisecond

// awaitAnswer is how long [Cutoff.ContainForAnswer] waits for Salesforce, which is told beside it.
const awaitAnswer = 3 * time.Second

// ContainForAnswer is Contain for whoever waits for an answer in a running proxy: it waits a few
// seconds for Salesforce, too, and has the audit log signed up to here.
func (c *Cutoff) ContainForAnswer(ctx context.Context, whom Target, act Act) *Containment {
	ctx = context.WithoutCancel(ctx)
	done := c.Contain(ctx, whom, act, nil)
	waiting, cancel := context.WithTimeout(ctx, awaitAnswer)
	defer cancel()
	c.AwaitSalesforce(waiting, done)
	done.Add("evidence", "the audit log is signed up to here, and later changes to it are noticed", c.Audit.Checkpoint(ctx))
	return done
}

// AwaitSalesforce waits, until ctx ends, until Salesforce has been told of every refresh token of
// those people, by whoever tells it, and notes that. What is left then is told by the running
// proxy as soon as Salesforce answers.
func (c *Cutoff) AwaitSalesforce(ctx context.Context, done *Containment) {
	const text = "no refresh token of theirs is left at Salesforce"
	lasting := context.WithoutCancel(ctx)
	for {
		left := 0
		for _, u := range done.People {
			n, err := c.Links.Unrevoked(lasting, u.Org, u.Subject)
			if err != nil {
				done.Add("salesforce", text, err)
				return
			}
			left += n
		}
		if left == 0 {
			done.Add("salesforce", text, nil)
			return
		}
		select {
		case <-ctx.Done():
			done.Add("salesforce", text, fmt.Errorf("%d could not be told yet; the running proxy keeps trying", left))
			return
		case <-time.After(salesforcePoll):
		}
	}
}
