package console

import (
	"errors"
	"strings"

	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/ui"
)

// classInWords completes "This tool …".
func classInWords(class string) string {
	switch policy.Class(class) {
	case policy.Read:
		return "reads records"
	case policy.SideEffect:
		return "reads, and has an effect besides"
	case policy.Create:
		return "creates records"
	case policy.Update:
		return "changes records"
	case policy.Delete:
		return "deletes records"
	case policy.Admin:
		return "administers the organization: users, permissions, metadata or code"
	}
	return "may change anything"
}

// statusInWords is the heading of a call that is no longer open, and its label in lists.
func statusInWords(a *approval.Request) string {
	switch a.State {
	case approval.Pending:
		return "Waiting"
	case approval.Approved:
		return "Approved"
	case approval.Denied:
		return "Denied"
	case approval.Countered:
		return "Another call was proposed"
	case approval.Expired:
		return "Expired"
	case approval.Void:
		return "Ended"
	case approval.Spent:
		if differs(a) {
			return "Done, with other values"
		}
		switch happened(a) {
		case approval.DidHappen:
			return "It happened"
		case approval.DidNotHappen:
			return "It did not happen"
		}
		switch a.Outcome {
		case approval.Done:
			return "Done"
		case approval.Failed:
			return "Failed"
		case approval.Unknown:
			return "Outcome unknown"
		}
		return "Being made"
	}
	return "Unknown"
}

// nextForRole tells somebody with a role what a call that somebody else asked for means for them; open:
// the page offers them to agree.
func nextForRole(a *approval.Request, open bool, may approval.May) string {
	switch {
	case open:
		return ""
	case a.State == approval.Pending && may.Agreed:
		return "You have agreed. It still waits for " + a.WhoIsMissing() + "."
	case a.State == approval.Pending:
		return strings.TrimSpace("Others decide: " + a.WhoIsMissing() + ". " + whyNot(may.Approve))
	case a.State == approval.Approved:
		return "The assistant can make the call now, once, until " + a.ExpiresAt.UTC().Format("15:04 UTC") + ". Nothing is left for you to do."
	case a.State == approval.Denied:
		return "The call will not be made. The assistant is told so."
	case a.State == approval.Countered:
		return "The call will not be made: a person proposed the same call with other values in its place."
	case a.State == approval.Expired:
		return "Nobody decided, or the assistant did not come back, in time. The call will not be made."
	case a.State == approval.Void:
		return "It can no longer be made: its connection has ended, or what is stored of it was changed."
	case differs(a):
		return "The assistant made the call, and Salesforce did it, but the record is not as it was asked for. What differs stands below."
	case a.State == approval.Spent && a.Outcome == approval.Done:
		return "The assistant made the call, and Salesforce did it."
	case a.State == approval.Spent && a.Outcome == approval.Failed:
		return "The assistant made the call, and Salesforce answered with an error."
	case a.State == approval.Spent && happened(a) != "":
		return "The answer to the call was lost. Somebody has looked since, and says below what came of it."
	case a.State == approval.Spent && a.Outcome == approval.Unknown:
		return "The call was sent, but the answer was lost. It may have happened, and is never sent again."
	}
	return ""
}

// whyNot says why somebody may not agree, as a sentence; "" where nothing is known but that others must.
func whyNot(err error) string {
	if err == approval.ErrNotApprover || !errors.Is(err, approval.ErrNotApprover) {
		return ""
	}
	return ui.Capital(err.Error()) + "."
}

// nextInWords tells the person what this means for them; "" while they decide.
func nextInWords(a *approval.Request) string {
	switch a.State {
	case approval.Pending:
		if a.OfRequester() {
			return ""
		}
		return "This call waits for somebody else to decide: " + a.WhoIsMissing() + ". Nothing is expected of you here. " +
			"If you are in a hurry, give them the address of this page, or your administrator the command below. " +
			"When it is approved, ask the assistant to repeat the call; if you do not want it any more, leave it, and nothing happens."
	case approval.Approved:
		if a.UndoOf != "" {
			return "Go back to your chat and ask the assistant to make the call below. The approval counts once, until " +
				a.ExpiresAt.UTC().Format("15:04 UTC") + "."
		}
		return "Go back to your chat and ask the assistant to repeat the call. The approval counts once, until " +
			a.ExpiresAt.UTC().Format("15:04 UTC") + "."
	case approval.Denied:
		return "The call will not be made. You can close this page and go back to your chat."
	case approval.Countered:
		return "The call will not be made: a person proposed the same call with other values in its place. Ask the assistant to make the call again: it is told which."
	case approval.Expired:
		return "Nobody decided, or the assistant did not come back, in time. If you still want the call, ask the assistant to make it again."
	case approval.Void:
		if a.Altered {
			return "What is stored of this call was changed by something else than the proxy, so it can no longer be made. " +
				"Tell your administrator. If you still want the call, ask the assistant to make it again."
		}
		return "The connection that this call came from has ended, so it can no longer be made."
	case approval.Spent:
		if differs(a) {
			return "The assistant repeated the call, and Salesforce did it, but the record is not as it was asked for. What differs stands below."
		}
		return spentInWords(a)
	}
	return ""
}

// differs reports whether a call was made, and the record was not afterwards what the call set.
func differs(a *approval.Request) bool {
	return a.State == approval.Spent && a.Outcome == approval.Done && a.Check != nil && a.Check.Verification == approval.Differs
}

// troubled reports whether a call was sent, and did not do what it should, or nobody knows.
func troubled(a *approval.Request) bool {
	return a.Outcome == approval.Failed || a.Outcome == approval.Unknown && happened(a) != approval.DidHappen || differs(a)
}

// happened is what a person found out about a call whose answer was lost; "": nothing yet.
func happened(a *approval.Request) approval.Happened {
	if a.Check == nil {
		return ""
	}
	return a.Check.Happened
}

func spentInWords(a *approval.Request) string {
	switch happened(a) {
	case approval.DidHappen:
		return "The answer to the call was lost, but it was carried out. There is nothing left to do here."
	case approval.DidNotHappen:
		return "The answer to the call was lost, and it was not carried out. If you still want it, ask the assistant to make it again."
	}
	switch a.Outcome {
	case approval.Done:
		return "The assistant repeated the call, and Salesforce did it. There is nothing left to do here."
	case approval.Failed:
		return "The assistant repeated the call, and Salesforce answered with an error. Your chat shows which."
	case approval.Unknown:
		return "The call was sent, but the answer was lost. It may have happened: look in Salesforce before you ask for it again."
	}
	return "The assistant repeated the call. It is being made, or how it ended was not recorded: if this stays so, look in Salesforce."
}

// approverInWords names who decides about a call.
func approverInWords(a *approval.Request) string {
	return a.WhoDecides()
}

// commandFor is what an administrator types about a call that its requester cannot decide about,
// where nobody with the role can sign in. "" where there is nothing left to decide.
func commandFor(a *approval.Request) string {
	if a.State != approval.Pending || a.OfRequester() {
		return ""
	}
	return "sfmcp-proxy approval approve " + a.ID + " --as NAME"
}

// reopenedInWords says why a call waits again that was approved before; "" if it never was.
func reopenedInWords(a *approval.Request) string {
	switch a.Reopened {
	case approval.Changed:
		return "This call was approved before, and the record has changed in Salesforce since then. Look again at what it would replace."
	case approval.Lapsed:
		return "This call was approved before, and somebody who agreed may no longer do so, or signed in with the company too long ago."
	}
	return ""
}
