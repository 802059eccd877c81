package authproxy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"sfmcp-proxy/authproxy/access"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/approval/evidence"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/people"
)

// Reapply takes away again what the audit log says was taken away, of the entries behind
// number after, and the database does not know any more because it was put back to an earlier
// state: blocks and unblocks of people and clients, the kill switch, connections, registrations, and approvals that were
// denied or spent, people who were erased, company sign-ins that were ended, and tokens of programs. What was
// given after an entry stays: a connection that is younger than the revocation is another one. Entries that the keys do not
// vouch for ([audit.Log.ListVouched]) change nothing: somebody else may have written them, or it is another log. What cannot be
// applied does not keep the rest from being so; the error is about all of it.
func (c *Cutoff) Reapply(ctx context.Context, after int64) (Reapplied, error) {
	r := reapplication{Cutoff: c, blocks: map[subject]audit.Entry{}, clients: map[string]bool{}, spent: map[int64]string{}}
	passed, unread := c.Audit.ListVouched(ctx, after, func(e audit.Entry) error {
		r.note(r.identify(ctx, &e))
		r.note(r.entry(ctx, e))
		return nil
	})
	if r.stop != "" {
		r.note(r.setStop(ctx))
	}
	for _, id := range r.spent {
		r.note(r.endApproval(ctx, id, left))
	}
	for who, e := range r.blocks {
		r.note(r.block(ctx, who, e))
	}
	r.note(r.blockClients(ctx))
	err := errors.Join(r.failed...)
	if err != nil {
		err = fmt.Errorf("applying the audit log again: %w", err)
	}
	return Reapplied{after, r.changed, passed, unread}, err
}

// Reapplied is what [Cutoff.Reapply] has done.
type Reapplied struct {
	After   int64 // the number behind which entries were applied
	Changed int   // how many things the database lacked
	Passed  int64 // how many entries were not applied, because no key vouches for them
	Unread  error // why the log could not be read to its end; what it says up to there was applied
}

// RecordReapplied records what was applied again, if the database lacked anything: in the log that is gone on with, which may be
// another one than what was applied.
func (c *Cutoff) RecordReapplied(ctx context.Context, r Reapplied) error {
	if r.Changed == 0 {
		return nil
	}
	_, err := c.Audit.Append(ctx, audit.Entry{Actor: actor.Proxy, Action: audit.LogApply, Outcome: audit.OK, Source: "audit log",
		Object: fmt.Sprintf("%d changes", r.Changed), Reason: fmt.Sprintf("the database lacked what entries behind number %d say was taken away", r.After)})
	return err
}

// subject is a person by the Salesforce user id.
type subject struct{ org, id string }

// reapplication is one pass over the log.
type reapplication struct {
	*Cutoff
	changed int
	blocks  map[subject]audit.Entry // the last block or unblock of each
	spent   map[int64]string        // approvals of calls that left, or may have, by the number of the intent
	clients map[string]bool         // whether the last entry of each blocks it
	stop    access.Stop             // the last position of the kill switch; "": none
	stopAt  time.Time               // when it was set
	users   map[subject]string      // ids of the users of the database by the pseudonyms of entries; nil: nobody has asked
	failed  []error                 // what could not be applied, the first ones
}

// note keeps an error.
func (r *reapplication) note(err error) {
	if err != nil && len(r.failed) < 20 {
		r.failed = append(r.failed, err)
	}
}

// identify finds out whom an entry is about whose key the database does not have, because it
// was put back to before that was made: a user whom it knows. Else the pseudonym stays.
func (r *reapplication) identify(ctx context.Context, e *audit.Entry) error {
	if e.Personal != audit.KeyMissing {
		return nil
	}
	if r.users == nil {
		all, err := r.Grants.Users(ctx)
		if err != nil {
			return err
		}
		r.users = map[subject]string{}
		for _, u := range all {
			pseudonyms, err := r.Audit.Persons().Pseudonyms(ctx, u.Org, u.Subject)
			if err != nil {
				return err
			}
			for _, pseudonym := range pseudonyms {
				r.users[subject{u.Org, pseudonym}] = u.Subject
			}
		}
	}
	if id := r.users[subject{e.Org, e.Subject}]; id != "" {
		e.Subject = id
	}
	return nil
}

// again is the reason that is kept with what is ended anew.
const again = "taken away again after the database was put back"

// left is that of an approval whose call was about to leave, by an intent without what shows that it did not, while the
// database has it unspent: the process ended just then, or the database was put back.
const left = "its call was about to be sent, and the database does not know whether it was"

// entry applies one entry, or notes it where a later one may change it.
func (r *reapplication) entry(ctx context.Context, e audit.Entry) error {
	_, _, ofCompany := e.Actor.PersonOf()
	if e.Personal == audit.Erased && e.Action != audit.SubjectErase && (e.Subject != "" || !ofCompany) { // a stop by somebody erased holds
		return nil // what they had was deleted with them, and this database knows that
	}
	switch e.Action {
	case audit.UserBlock:
		if e.Subject == "" { // it was refused
			return nil
		}
		r.blocks[subject{e.Org, e.Subject}] = e
	case audit.UserUnblock:
		if e.Outcome == audit.OK { // one that failed leaves the block
			r.blocks[subject{e.Org, e.Subject}] = e
		}
	case audit.StopSet:
		if e.Outcome == audit.OK {
			r.stop, r.stopAt = access.Stop(e.Object), e.At
		}
	case audit.UserRevoke:
		return r.revokeUser(ctx, e)
	case audit.GrantRevoke, audit.GrantReplay:
		return r.endGrant(ctx, e.Grant)
	case audit.ClientRevoke, audit.ClientBlock, audit.ClientUnblock:
		return r.client(ctx, e)
	case audit.SubjectErase:
		if e.Outcome == audit.Intent { // begun: what is not known to have been done is done
			return r.erase(ctx, e)
		}
	case audit.APITokenRevoke:
		return r.endAPIToken(ctx, e.Object)
	case audit.SessionEnd:
		return errors.Join(r.endSessions(ctx, e), r.endCompanySession(ctx, e))
	case audit.ApprovalDecide, audit.ApprovalVoid:
		ends := e.Action == audit.ApprovalVoid || e.Decision == audit.Deny || e.Decision == audit.Counter
		if ends && (e.Outcome == audit.OK || e.Outcome == audit.Unknown) { // a refused one decided nothing
			return r.endApproval(ctx, e.Approval, again)
		}
	case audit.ToolCall:
		switch {
		case e.Outcome == audit.Intent && e.Approval != "": // about to leave: the approval is spent
			r.spent[e.Seq] = e.Approval
		case evidence.Stayed(e):
			delete(r.spent, e.IntentSeq)
		}
	}
	return nil
}

// client applies an act about a client. One that was refused names none.
func (r *reapplication) client(ctx context.Context, e audit.Entry) error {
	switch {
	case e.Client == "":
		return nil
	case e.Action == audit.ClientRevoke:
		return errors.Join(r.Grants.Requests.EndOfClient(ctx, e.Client, e.At), r.Clients.Forget(ctx, e.Client))
	case e.Action == audit.ClientBlock:
		r.clients[e.Client] = true
		return r.Clients.Forget(ctx, e.Client)
	case e.Outcome == audit.OK: // unblocked
		r.clients[e.Client] = false
	}
	return nil
}

// endAPIToken ends a token that the database has as good again.
func (r *reapplication) endAPIToken(ctx context.Context, id string) error {
	_, err := r.Tokens.Revoke(ctx, id)
	if errors.Is(err, apitoken.ErrNotFound) {
		return nil
	}
	r.changed++
	return err
}

// erase erases somebody whom the database has again.
func (r *reapplication) erase(ctx context.Context, e audit.Entry) error {
	id, changed, err := r.Audit.Persons().EraseAgain(ctx, e.Org, e.Object)
	if err != nil || !changed {
		return err
	}
	r.changed++
	if id == "" && e.Subject != e.Object { // without a key: the database was put back to before it was made
		id = e.Subject
	}
	if id == "" {
		return nil
	}
	if actor.IsIssuer(e.Org) {
		_, err := r.People.Erase(ctx, e.Org, id)
		return err
	}
	_, revokeErr := r.Grants.RevokeUser(ctx, e.Org, id, again)
	rest := r.userEnds(ctx, e.Org, id, again, r.void)
	return errors.Join(revokeErr, rest.failed(), r.deleteRows(ctx, e.Org, id))
}

// void ends approvals without an entry: the log has one of each.
func (r *reapplication) void(ctx context.Context, f approval.VoidFilter) (int, error) {
	ended, err := r.Approvals.Void(ctx, f, again)
	return len(ended), err
}

// endSessions signs a person out where they had signed in before an entry.
func (r *reapplication) endSessions(ctx context.Context, e audit.Entry) error {
	n, err := r.Sessions.EndBegunBefore(ctx, e.Org, e.Subject, e.At)
	r.changed += n
	return err
}

// endCompanySession ends the browser session that an entry says was ended, by the id that it has; of
// entries that have none it ends what the person had begun before.
func (r *reapplication) endCompanySession(ctx context.Context, e audit.Entry) error {
	issuer, person, ofCompany := e.Actor.PersonOf()
	if e.Object == "" && !ofCompany {
		return nil
	}
	if e.Object == "" {
		n, err := r.People.EndBegunBefore(ctx, issuer, person, e.At)
		r.changed += n
		return err
	}
	err := r.People.EndNamed(ctx, e.Object)
	if errors.Is(err, people.ErrNotFound) {
		return nil
	}
	r.changed++
	return err
}

// revokeUser ends what a person had before an entry: sign-ins of their org that were under way, their connections, with what
// hangs on each, and where they had signed in.
func (r *reapplication) revokeUser(ctx context.Context, e audit.Entry) error {
	if e.Subject == "" { // it failed, and names nobody: everybody's are not meant
		return nil
	}
	err := r.Grants.Requests.EndOfOrg(ctx, e.Org, e.At) // first: whoever finishes one has a connection then
	err = errors.Join(err, r.endConnections(ctx, subject{e.Org, e.Subject}, e))
	n, signedOutErr := r.signedOut(ctx, e.Org, e.Subject, e.At)
	r.changed += n
	return errors.Join(err, signedOutErr)
}

// endConnections ends those of a person that are older than an entry.
func (r *reapplication) endConnections(ctx context.Context, who subject, e audit.Entry) error {
	grants, err := r.Grants.Grants(ctx, grant.Filter{Org: who.org, Subject: who.id})
	if err != nil {
		return err
	}
	for _, g := range grants {
		if g.CreatedAt.Before(e.At) {
			err = errors.Join(err, r.endGrant(ctx, g.ID))
		}
	}
	return err
}

func (r *reapplication) endGrant(ctx context.Context, id string) error {
	g, err := r.Grants.RevokeGrant(ctx, id, again)
	if errors.Is(err, grant.ErrNotFound) {
		return nil // it has ended, or this database has never had it
	}
	if err != nil {
		return err
	}
	r.changed++
	_, voidErr := r.void(ctx, approval.VoidFilter{GrantID: id})
	return errors.Join(voidErr, r.endUnusedLink(ctx, g.Org, g.Subject, again))
}

func (r *reapplication) endApproval(ctx context.Context, id, why string) error {
	if id == "" {
		return nil
	}
	ended, err := r.Approvals.Void(ctx, approval.VoidFilter{ID: id}, why)
	r.changed += len(ended)
	return err
}

// block brings a person to what the last entry about them says. The end of a block is one that gives:
// it ends no block that is younger, of which the log of another replica may tell.
func (r *reapplication) block(ctx context.Context, who subject, e audit.Entry) error {
	blocked, err := r.Grants.Blocked(ctx, who.org, who.id)
	if err != nil {
		return err
	}
	switch {
	case e.Action == audit.UserUnblock && blocked:
		if u, err := r.Grants.User(ctx, who.org, who.id); err != nil || u.Altered || u.BlockedAt.After(e.At) {
			return err
		}
		r.changed++
		return r.Grants.UnblockUser(ctx, who.org, who.id)
	case e.Action == audit.UserBlock && !blocked:
		r.changed++
		if _, err := r.Grants.BlockUser(ctx, who.org, who.id, again); err != nil {
			return err
		}
		return r.userEnds(ctx, who.org, who.id, again, r.void).failed()
	}
	return nil
}

// blockClients brings clients to what the last entry about them says. Since when one is blocked
// is not known: where other replicas have logs that may tell of it, no block is ended.
func (r *reapplication) blockClients(ctx context.Context) error {
	if len(r.clients) == 0 {
		return nil
	}
	blocked, err := r.Clients.Blocked(ctx)
	if err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(r.clients)) {
		switch {
		case r.clients[id] == blocked[id], !r.clients[id] && r.OtherLogs:
			continue
		case r.clients[id]:
			err = errors.Join(err, r.Clients.Block(ctx, id))
		default:
			err = errors.Join(err, r.Clients.Unblock(ctx, id))
		}
		r.changed++
	}
	return err
}

// setStop brings the kill switch to its last position. One that stops less ends no stop that is younger.
func (r *reapplication) setStop(ctx context.Context) error {
	have, err := r.Access.StopSetting(ctx)
	switch {
	case err == nil && (have.Position == r.stop || have.Position.StopsMoreThan(r.stop) && have.At.After(r.stopAt)):
		return nil
	case err != nil && r.OtherLogs && r.stop != access.StopAll: // one that cannot be read stops everything
		return nil
	}
	if err != nil { // nobody can say how it stands, or in a moment why
		have = access.StopSetting{Position: access.StopAll}
	}
	return r.setStopOver(ctx, have)
}

// setStopOver sets the kill switch to its last position. What somebody stops at this moment stays.
func (r *reapplication) setStopOver(ctx context.Context, seen access.StopSetting) error {
	err := r.Access.SetStopOver(ctx, seen, r.stop, actor.Proxy.String())
	if errors.Is(err, access.ErrStopMoved) {
		return nil
	}
	r.changed++
	return err
}
