package approval

import (
	"time"

	"sfmcp-proxy/authproxy/actor"
)

// Decider is who decides about a request: a person in a browser, or an operator.
type Decider struct {
	Actor actor.Actor
	// Org is that of a Salesforce user; empty for whoever signed in with the company.
	Org string
	// Human names the person over all ways to sign in: two deciders with the same are one.
	// Empty: nothing but the Actor is known of who it is.
	Human string
	// Roles are those that the person holds now. Those of an operator are those that the
	// person named at the command line is said to hold.
	Roles []string
	// AuthTime is when the person last proved who they are, ACR how (OpenID Connect Core 2,
	// auth_time and acr); zero and empty: not known, and no proof.
	AuthTime time.Time
	ACR      string
}

// May is what somebody may do about a request as it is now: each nil, or the error that the act would
// have, which says why not. Between a look and the act others may decide, and time passes.
type May struct {
	Approve error // [ErrStepUp] of somebody who may once they have signed in anew
	Deny    error
	Propose error // other values, see [Store.Counter]
	Resolve error // say whether a call was carried out whose answer was lost, see [Store.Resolve]
	Undo    error // ask for the call that takes it back, see [Store.Undo]
	// Agreed: they are among those who agreed.
	Agreed bool
}

// Choice is what a person decides about a request.
type Choice struct {
	Approve bool
	// Role is that for which an approval counts, of those that the request asks for and the
	// person holds; empty: the first that is still missing.
	Role string
	// Reason, of a denial, is the person's own words for whoever asked: see [actor.ForDenial].
	Reason string
	// Shown, of an approval, is what the person saw of the record.
	Shown Shown
}
