package authproxy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
)

// Target is whom an incident is about: a person, or a client.
type Target struct {
	Org, Subject string
	Client       string // empty: the person
}

// Step is one thing that was done to contain an incident, and whether it turned out to be so when
// it was looked at again.
type Step struct {
	Name string `json:"step"` // refused, connections, approvals, sessions, login, recorded, salesforce, evidence
	Text string `json:"text"`
	// Confirmed says that it was looked at afterwards, and is so.
	Confirmed bool `json:"confirmed"`
	// Problem is what keeps it from being confirmed.
	Problem string `json:"problem,omitempty"`
}

// OtherProcesses is what follows from a containment within a second. Nobody can look at it from here, so it is no
// [Step]: each process looks ten times a second whether access was taken away, and believes nothing without a look.
const OtherProcesses = "every process goes by it: calls and streams under way end"

// Containment is what was done to contain an incident.
type Containment struct {
	Target
	// People are whom it concerns: the person, or whoever connected the client, as far as it is kept.
	People []grant.User
	Ended  Ended
	Steps  []Step

	cut    []grant.User // those of People whose login has to end
	logins error        // why it is not known that these logins have ended here
	told   func(Step)
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
	done := &Containment{Target: whom, told: told}
	failed := take(ctx, func(ctx context.Context) error {
		if whom.Client != "" {
			return c.containClient(ctx, done, act)
		}
		return c.containUser(ctx, done, act)
	})
	done.Add("recorded", "the audit log says who did it, and why", audit.Unrecorded(failed))
	c.Access.AwaitProcesses()
	return done
}

func (c *Cutoff) containUser(ctx context.Context, done *Containment, act Act) (failed error) {
	org, subject := done.Org, done.Subject
	done.Ended, failed = c.BlockUser(ctx, org, subject, act)
	u, err := c.Grants.User(ctx, org, subject)
	switch {
	case err != nil:
		u = &grant.User{Org: org, Subject: subject}
	case !u.Blocked():
		err = errors.New("they are not refused")
	}
	done.People, done.cut = []grant.User{*u}, []grant.User{*u}
	done.Add("refused", "they are refused from now on", err)
	left, err := c.Grants.LiveGrants(ctx, org, subject)
	done.Add("connections", ended(done.Ended.Connections, "connection"), errors.Join(err, noneLeft(left)))
	more := c.userEnds(ctx, org, subject, act.Why, c.recordedVoid(act))
	done.Add("approvals", ended(done.Ended.Approvals, "waiting or approved call"), errors.Join(more.approvalsErr, noneLeft(more.approvals)))
	done.Add("sessions", ended(done.Ended.Sessions, "browser session"), errors.Join(more.sessionsErr, noneLeft(more.sessions)))
	c.containLogins(ctx, done, act, nil)
	return failed
}

func (c *Cutoff) containClient(ctx context.Context, done *Containment, act Act) error {
	id := done.Client
	grants, approvals, failed := c.BlockClient(ctx, id, act)
	done.Ended = Ended{Connections: len(grants), Approvals: approvals}
	blocked, err := c.Clients.Blocked(ctx)
	if err == nil && !blocked[id] {
		err = errors.New("it is not refused")
	}
	done.Add("refused", "the client is refused from now on", errors.Join(err, c.Clients.Forget(ctx, id)))
	more, err := c.Grants.RevokeClient(ctx, id, act.Why)
	for _, g := range more {
		failed = also(failed, c.grantEnded(ctx, &g, audit.GrantRevoke, act))
	}
	done.Add("connections", ended(len(grants), "connection")+", of "+persons(len(peopleOf(grants))), errors.Join(err, noneLeft(len(more))))
	n, err := c.endApprovals(ctx, approval.VoidFilter{ClientID: id}, act)
	done.Add("approvals", ended(approvals, "waiting or approved call"), errors.Join(err, noneLeft(n)))
	c.containLogins(ctx, done, act, c.whoConnected(ctx, done))
	return failed
}

// whoConnected notes who connected the client, now or before: whoever contains it again ends what the first time could
// not. Those who have another connection keep their login.
func (c *Cutoff) whoConnected(ctx context.Context, done *Containment) error {
	grants, err := c.Grants.Grants(ctx, grant.Filter{ClientID: done.Client, All: true})
	if err != nil {
		return err
	}
	done.People = peopleOf(grants)
	for _, u := range done.People {
		n, err := c.Grants.LiveGrants(ctx, u.Org, u.Subject)
		if err != nil {
			return err
		}
		if n == 0 {
			done.cut = append(done.cut, u)
		}
	}
	return nil
}

// containLogins ends the logins that have to end, and looks whether they have. unknown is why it is not known
// whose these are.
func (c *Cutoff) containLogins(ctx context.Context, done *Containment, act Act, unknown error) {
	text := "their Salesforce login is ended here"
	if done.Client != "" {
		text = "the Salesforce login of those who have no other connection is ended here"
	}
	left := 0
	var failed error // the first one
	for _, u := range done.cut {
		revokeErr := c.Links.Revoke(ctx, u.Org, u.Subject, act.Why)
		is, err := c.Links.Status(ctx, u.Org, u.Subject)
		if err == nil && is.State != link.Active {
			continue
		}
		left++
		if failed == nil {
			failed = errors.Join(revokeErr, err)
		}
	}
	if left > 0 {
		failed = errors.Join(fmt.Errorf("%d of %d may be there still: contain once more", left, len(done.cut)), failed)
	}
	done.logins = errors.Join(unknown, failed)
	done.Add("login", text, done.logins)
}

// peopleOf are the users of grants, each once.
func peopleOf(grants []grant.Grant) (users []grant.User) {
	seen := map[[2]string]bool{}
	for _, g := range grants {
		if key := [2]string{g.Org, g.Subject}; !seen[key] {
			seen[key] = true
			users = append(users, grant.User{Org: g.Org, Subject: g.Subject, Username: g.Username, Name: g.Name})
		}
	}
	return users
}

func persons(n int) string {
	if n == 1 {
		return "1 person"
	}
	return fmt.Sprintf("%d people", n)
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
	storing, cancel := context.WithTimeout(ctx, checkpointWait)
	defer cancel()
	done.Add("evidence", "the audit log is signed up to here, and later changes to it are noticed", c.Audit.Checkpoint(storing))
	return done
}

// AwaitSalesforce waits, until ctx ends, until Salesforce has been told of every refresh token of
// those whose login has ended, by whoever tells it, and notes that. What is left then is told by the running
// proxy as soon as Salesforce answers.
func (c *Cutoff) AwaitSalesforce(ctx context.Context, done *Containment) {
	text := "no refresh token of theirs is left at Salesforce"
	if done.Client != "" {
		text = "no refresh token is left at Salesforce of those who have no other connection"
	}
	if done.logins != nil { // nobody tells Salesforce of a login that is in use here
		done.Add("salesforce", text, errors.New("it is not known that every login has ended here, see above"))
		return
	}
	for {
		left, err := c.untold(context.WithoutCancel(ctx), done.cut)
		if err != nil || left == 0 {
			done.Add("salesforce", text, err)
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

// untold is how many refresh tokens of those people Salesforce has not been told of.
func (c *Cutoff) untold(ctx context.Context, of []grant.User) (left int, err error) {
	for _, u := range of {
		n, err := c.Links.Unrevoked(ctx, u.Org, u.Subject)
		if err != nil {
			return 0, err
		}
		left += n
	}
	return left, nil
}
