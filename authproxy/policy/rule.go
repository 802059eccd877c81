package policy

import (
	"slices"
	"strings"

	"sfmcp-proxy/authproxy/policy/reach"
)

// Class is the effect that a call has in Salesforce, see [reach.Class].
type Class = reach.Class

// The effect classes.
const (
	Read       = reach.Read
	SideEffect = reach.SideEffect
	Create     = reach.Create
	Update     = reach.Update
	Delete     = reach.Delete
	Unknown    = reach.Unknown
	Admin      = reach.Admin
)

// classList is classes for the text of a problem.
const classList = "read, side_effect, create, update, delete, unknown or admin"

// Effect is what a rule does with a call that it matches.
type Effect string

// The effects of rules and decisions.
const (
	Allow   Effect = "allow"   // the call passes
	Confirm Effect = "confirm" // the call waits for a person
	Deny    Effect = "deny"    // the call is refused
)

// Mode says whether denials hold.
type Mode string

// The modes. In Shadow, what would be denied passes and is marked
// [Decision.Shadow]; calls to be confirmed are still held, and arguments that
// cannot be read are still refused. The zero value means Enforce.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow"
)

// Rule matches calls by its keys and says what happens to them. A nil key
// does not restrict; every other key must match. An empty list that is not nil is
// a mistake: [Policy.Validate] refuses it, and until somebody does, a
// rule with one matches nothing if it allows and does not restrict if it denies.
//
// A key is a field here, named as in policy files by its tag, and a row of the table
// in keys.go.
type Rule struct {
	// Effect is allow, confirm or deny.
	Effect Effect `mapstructure:"effect" need:"value"`
	// Observe: the rule decides nothing. That it would have decided is noted, see
	// [Decision.Observed], and the next rule is asked.
	Observe bool `mapstructure:"observe"`
	// Tools are exact tool names, or globs with * and ?. Prompts and resources are
	// named "prompt:NAME" and "resource:URI"; an allow or confirm pattern
	// reaches them only if it begins with that prefix, a deny pattern always.
	Tools []string `mapstructure:"tools" need:"value"`
	// Classes are effect classes. A rule that lets calls pass is about calls of the class
	// admin only if it names that class here. Deny: also calls that may be of one of them, see
	// [reach.Value.Besides]. Confirm: also these, where a later rule would let them pass without a person.
	Classes []Class `mapstructure:"classes" need:"value"`
	// Users are Salesforce user ids (15 or 18 characters) or user names.
	Users []string `mapstructure:"users" need:"value"`
	// Groups are names of configured groups.
	Groups []string `mapstructure:"groups" need:"value"`
	// Clients are OAuth client ids.
	Clients []string `mapstructure:"clients" need:"value"`
	// Objects are sObject names or globs, in any case. Deny: any object reached is
	// listed or cannot be determined. Allow, confirm: all are known and listed.
	Objects []string `mapstructure:"objects" need:"value"`
	// Fields are "Object.Field" names or globs, in any case, matched like Objects.
	// An answer with whole records reaches "Object.*".
	Fields []string `mapstructure:"fields" need:"value"`
	// MaxRows, for allow and confirm, is the most records that a query may return,
	// its child subqueries included; 0 is no limit. A query without a sufficient
	// LIMIT does not match, nor does one whose size cannot be determined (other
	// query languages, tools that are not known). Tools that take no query are not
	// affected.
	MaxRows int `mapstructure:"max_rows" need:"value"`
	// Rewrite, beside MaxRows, lets a query match that says no sufficient LIMIT, and
	// has its LIMIT lowered or added: see [Obligations].Limit.
	Rewrite bool `mapstructure:"rewrite"`
	// When is a condition, an expression of package condition: the rule matches only where
	// it is true. Where it can be neither true nor false, the call is denied.
	When string `mapstructure:"when" need:"value"`
	// After, for confirm and deny, is [OutsideText]: the rule matches only while
	// [Call.OutsideText] says so.
	After string `mapstructure:"after" need:"value"`
	// Mask and Drop, for allow and confirm, are "Object.Field" names or globs whose
	// values are hidden in answers, or taken out of them: see [Obligations].
	Mask []string `mapstructure:"mask" need:"value"`
	Drop []string `mapstructure:"drop" need:"value"`
	// Approvers, for confirm, says who must agree; empty means the requester.
	Approvers Approvers `mapstructure:"approvers" need:"value"`
	// Quorum, for confirm, is how many approvers must agree; 0 means 1.
	Quorum int `mapstructure:"quorum" need:"value"`
	// Factors, for confirm, in the place of Approvers and Quorum: all of them must be met.
	Factors []Factor `mapstructure:"factors" need:"value"`
	// StepUp, Group, Escalate and Verify, for confirm, are those of [Confirmation].
	StepUp   bool       `mapstructure:"step_up"`
	Group    bool       `mapstructure:"group"`
	Escalate Escalation `mapstructure:"escalate"`
	Verify   bool       `mapstructure:"verify"`
	// OnChange, for confirm, is what becomes of the call when the record has changed after people
	// agreed; empty means [HoldOnChange].
	OnChange OnChange `mapstructure:"on_change" need:"value"`
}

// Principal is who calls: a Salesforce user of an org through an OAuth client.
type Principal struct {
	Org      string   // configured name of the org
	Subject  string   // Salesforce user id; "" where it is not known yet (see [Policy.Summary])
	Username string   // Salesforce user name, "" if not known
	Client   string   // OAuth client id
	Groups   []string // names of the configured groups that the user is in
}

// Equal reports whether both are the same caller, in the same groups.
func (who Principal) Equal(other Principal) bool {
	return who.Org == other.Org && who.Subject == other.Subject && who.Username == other.Username && who.Client == other.Client &&
		slices.Equal(who.Groups, other.Groups)
}

// namesUser reports whether the users key matches.
func (r *Rule) namesUser(q *question) bool {
	return r.any(r.Users, func(user string) bool {
		if !strings.Contains(user, "@") {
			return reach.SameID(user, q.who.Subject)
		}
		if q.who.Username == "" {
			return r.Effect == Deny // absence denies: the name may be this one
		}
		return strings.EqualFold(user, q.who.Username)
	})
}

// any reports whether one of a key's values matches. A key without values denies.
func (r *Rule) any(values []string, match func(string) bool) bool {
	return slices.ContainsFunc(values, match) || len(values) == 0 && r.Effect == Deny
}

// namesTool reports whether the tools key matches.
func (r *Rule) namesTool(tool string) bool {
	return r.any(r.Tools, func(pattern string) bool {
		if prefix := reach.OtherKind(tool); prefix != "" && r.Effect != Deny && !strings.HasPrefix(pattern, prefix) {
			return false // "*" means tools; prompts and resources are allowed by name
		}
		return reach.Glob(pattern, tool)
	})
}

// namesClass reports whether the classes key matches.
func (r *Rule) namesClass(c Class) bool {
	return slices.Contains(r.Classes, c) || len(r.Classes) == 0 && r.Effect == Deny
}

// holdsClass reports whether the classes key matches a call: a rule that denies also holds what may be
// of one of its classes, as far as anybody can tell, and what is done besides being [Admin].
func (r *Rule) holdsClass(v *reach.Value) bool {
	return r.namesClass(v.Class) || r.Effect == Deny && r.doubts(v)
}

// doubts reports whether a rule that does not let calls pass at once names a class that a call may be of besides its
// own, and not that one.
func (r *Rule) doubts(v *reach.Value) bool {
	return r.Effect != Allow && r.Classes != nil && !r.namesClass(v.Class) && slices.ContainsFunc(v.Besides, r.namesClass)
}

// takesUnnamed reports whether calls of a class are what the rule is about if it names no
// class. Those of the class admin must be named where they pass.
func (r *Rule) takesUnnamed(c Class) bool { return c != Admin || r.Classes != nil || !r.passes() }

// takesClass reports whether the rule is about calls of a class.
func (r *Rule) takesClass(c Class) bool {
	return r.takesUnnamed(c) && (r.Classes == nil || r.namesClass(c))
}

// passes reports whether the rule is one by which calls pass: only allow and confirm are.
func (r *Rule) passes() bool { return r.Effect == Allow || r.Effect == Confirm }

// describe returns the rule in a few words for operators, "deny objects User, Profile".
func (r *Rule) describe() string {
	parts := []string{string(r.Effect)}
	for i := range keys {
		if k := &keys[i]; k.described && k.set(r) {
			parts = append(parts, k.name+" "+strings.Join(k.values(r), ", "))
		}
	}
	text := strings.Join(parts, " ")
	const longest = 200
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return text
}

func classNames(cs []Class) []string {
	if cs == nil {
		return nil
	}
	names := make([]string, len(cs))
	for i, c := range cs {
		names[i] = string(c)
	}
	return names
}
