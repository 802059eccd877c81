package ui

import "strings"

// A Page is one of the page structs of this package; each has its own template.
type Page interface {
	// page names the template file, the document's title, and the origins
	// beyond our own that a form of the page may lead to.
	page() head
}

type head struct {
	Template string // file in templates/, without .html
	Title    string
	Targets  []string // for the form-action directive
	Viewer   *Viewer  // nil: nobody is signed in
	Script   string   // path of the one script that the page has; empty: none
}

// Viewer is the person a signed-in page is shown to; it fills the page's header.
type Viewer struct {
	Name     string // display name; empty: Username or Subject is shown
	Username string // Salesforce username, may be empty while unknown
	Subject  string // Salesforce user id
	OrgName  string // the org as the configuration calls it
	CSRF     string // Session.CSRF: hidden field "csrf_token" of every form
	Console  bool   // they hold a role that opens /console
}

// Label returns the best name there is for the person.
func (v Viewer) Label() string {
	switch {
	case v.Name != "":
		return v.Name
	case v.Username != "":
		return v.Username
	}
	return v.Subject
}

// Link leads to another page of ours.
type Link struct {
	Text string
	Path string // same-origin path, such as /account
	// Address is where it leads instead if that is another site, or a program with a scheme
	// of its own; see outside.
	Address string
}

// ConsentPage asks whether a client may use one server on the person's behalf.
// Its form posts "request" and "decision" (allow or deny) to /oauth/consent.
type ConsentPage struct {
	RequestID string // secret id of the authorization request: field "request"
	Mark      string // field "shown", see Marks
	Again     bool   // a decision came too soon

	ClientName   string
	ClientID     string
	Unverified   bool   // nobody here has checked who the client is: its name is what it says
	VerifiedHost string // of an unverified client: the host that is known to publish its id; empty: nothing is known
	RedirectHost string // host (and port) that receives the code, or a program's own URI
	Local        bool   // the redirect stays on the person's own computer: any program there could ask

	ServerName        string // as in the endpoint's path
	ServerTitle       string // empty: ServerName is shown
	ServerDescription string
	Resource          string   // URL of the endpoint
	Scopes            []string // OAuth scopes asked of Salesforce, verbatim

	OrgName string // the org as the configuration calls it
	OrgHost string // host of its login page

	Can           []string // sentences: what the client may do without asking again
	NeedsApproval []string // sentences: what a person must approve each time
	Cannot        []string // sentences: what stays impossible

	AccessLifetime     string // in words, such as "15 minutes"
	ConnectionLifetime string // in words, such as "90 days"

	// FormTargets are the origins the POST leads through besides our own: the
	// Salesforce login and the client's redirect URI. Browsers apply
	// form-action to the whole redirect chain.
	FormTargets []string
}

func (p ConsentPage) page() head {
	return head{Template: "consent", Title: "Connect " + p.ClientName, Targets: p.FormTargets}
}

// Server is what the page calls the server.
func (p ConsentPage) Server() string {
	if p.ServerTitle != "" {
		return p.ServerTitle
	}
	return p.ServerName
}

// Lookalike is a word in the client's name whose letters come from look-alike alphabets,
// or "". Names that an administrator wrote are not judged.
func (p ConsentPage) Lookalike() string {
	if !p.Unverified {
		return ""
	}
	return MixedScripts(p.ClientName)
}

// SignInOrg is one org a person may sign in with.
type SignInOrg struct {
	Name string // as in the configuration: field "org"
	Host string // host of its login page
}

// SignInPage offers the company's sign-in and the login at Salesforce. Its form posts "org",
// "return_to" and, where given, "request" and "csrf_token" to /signin.
type SignInPage struct {
	Companies   []Link // sign-in with a company's identity provider
	Orgs        []SignInOrg
	ReturnTo    string   // checked with SafeReturnTo
	RequestID   string   // optional field "request"
	CSRF        string   // optional field "csrf_token", see FormToken
	FormTargets []string // login origins of the orgs
}

func (p SignInPage) page() head {
	return head{Template: "signin", Title: "Sign in", Targets: p.FormTargets}
}

// MessagePage says one thing: an error, a refusal, or that something is done.
type MessagePage struct {
	Title     string
	Text      string // one or two plain sentences for the person
	Detail    string // optional second paragraph, such as what to do next
	Quote     string // optional text of somebody else's, shown as a quotation
	RequestID string // optional; what to tell the administrator
	Links     []Link
	Viewer    *Viewer // nil: nobody is signed in
}

func (p MessagePage) page() head {
	return head{Template: "message", Title: p.Title, Viewer: p.Viewer}
}

// LandingPage is shown at / and says what this place is.
type LandingPage struct {
	Viewer *Viewer
}

func (p LandingPage) page() head {
	return head{Template: "landing", Title: "Salesforce for your assistant", Viewer: p.Viewer}
}

// Connection is one grant as its owner sees it. Times are texts ready to read;
// empty means never.
type Connection struct {
	ID           string // grant id: field "grant"
	ClientName   string
	ClientID     string
	ServerTitle  string
	RedirectHost string
	Since        string
	LastUse      string
	Until        string
}

// LostLogin tells that Salesforce gives no tokens for the person any more. Its link leads
// to a sign-in, which repairs that.
type LostLogin struct {
	Org    string // as the configuration calls it
	Since  string
	Reason string // a sentence
	Waits  string // a sentence: what goes on after the sign-in
	SignIn string // same-origin path
}

// AccountPage shows the signed-in person and their connections. Each
// connection has a form posting "grant" to /account/disconnect.
type AccountPage struct {
	Person      *PersonCard // who is signed in with the company in the same browser; nil: nobody
	Companies   []Link      // where to sign in with it
	Viewer      Viewer
	OrgHost     string
	Connections []Connection
	Servers     []Link // how to connect an assistant to each server that the viewer may use
	Waiting     int    // approvals that wait for the viewer
	Budgets     []BudgetLine
	Notice      string // what just happened; empty: nothing
	Lost        *LostLogin
}

// BudgetLine is a budget of the viewer of which something is used.
type BudgetLine struct {
	What   string // what is counted, in words
	Used   string // "3 of 5"
	Renews string // when the count begins anew
	Gone   bool   // nothing is left
}

func (p AccountPage) page() head {
	return head{Template: "account", Title: "Your account", Viewer: &p.Viewer}
}

// ApprovalLine is one approval in a list.
type ApprovalLine struct {
	ID     string
	Who    string // who asked; empty: the viewer
	Tool   string
	Gist   string // what it is about, in a few words; may be empty
	Class  string // in words
	Client string
	Server string
	State  string // pending, approved, denied, expired, spent, void
	Sign   string // State, or warn or denied for a call that did not come out well
	Status string // State in words
	When   string // "asked …" or "decided …"
	Until  string // when it expires, in few words; empty: it does not wait
	// OrgKind is as in [ApprovalPage].
	OrgKind string
}

// ApprovalsPage lists the viewer's approvals.
type ApprovalsPage struct {
	Viewer    Viewer
	Count     int            // of calls that wait for the viewer's decision
	Oldest    string         // since when the first of several waits
	Sought    string         // what a search looks for in them; empty: nothing
	Newest    bool           // the newest first
	Waiting   []ApprovalLine // for the viewer's decision
	More      int            // of them that have no line here
	Elsewhere []ApprovalLine // for somebody else's
	Recent    []ApprovalLine // that are over
	Older     string         // where the next of these begin, for the field "behind" of the address; empty: there are none
	Behind    bool           // these are not the newest
	Renew     string         // where the company is asked again about a person whose roles do not count; empty: they do
	Listed    string         // stands for what waits for the viewer, as the events of the page say it
}

func (p ApprovalsPage) page() head {
	return head{Template: "approvals", Title: "Approvals", Viewer: &p.Viewer, Script: inboxPath}
}

// Step is one step into the arguments: a member of an object or an item of a list.
type Step struct {
	Name  string // member name, or the item's position from 1
	Index bool   // an item of a list
}

// Argument is one leaf of a call's arguments, made by Arguments: Value is complete
// and has passed Visible. Path has not; its template does that.
type Argument struct {
	Path  []Step // outermost first
	Kind  string // text, empty text, number, true or false, null, empty list, empty object
	Value string
	Plain bool   // Value is exactly what was sent: nothing but line breaks had to be made visible
	Mixed string // a word in Value whose letters come from look-alike alphabets; may be empty
	// Record is the record whose id Value is; nil: it is none, or nobody looked.
	Record *CurrentRecord
}

// ApprovalPage shows one call completely. While Open, its form posts
// "decision" (approve or deny) to /approvals/{ID}.
type ApprovalPage struct {
	Viewer Viewer

	ID     string
	State  string // pending, approved, denied, expired, spent, void
	Status string // State in words, one sentence
	Next   string // what the person does now; may be empty
	Open   bool   // the viewer may approve or deny it now

	MayDeny bool // the viewer may deny it now, also where they may not approve it

	Requester   string // name and username of who asked
	RequesterID string
	ClientName  string
	ClientID    string
	OrgName     string
	ServerName  string
	ServerTitle string
	Tool        string
	Class       string // in words

	Approver string // who decides, in words
	Command  string // what an administrator types to decide; empty: the viewer decides, or nobody any more

	Sentence    string // what the call would do, in a line
	Consequence string // what cannot be taken back; may be empty
	OrgKind     string // production, sandbox, scratch; empty: not known
	Trouble     bool   // it was sent, and did not do what it should, or nobody knows
	Factors     []FactorLine
	Rule        string // which asks for a person, in words; empty: not known
	Escalation  string // who else may agree, and when; may be empty
	Said        string // the reason that whoever denied it gave; may be empty

	Mark  string // field "shown" of the form, see Marks
	Again string // why it is asked again; may be empty

	Current *Current    // what Salesforce has at the moment; nil: it was not asked
	After   *AfterWrite // nil: the call was not sent, and takes no other back

	Arguments []Argument
	Erased    bool   // the arguments are no longer kept
	Canonical string // canonical JSON, passed through Visible
	Digest    string // SHA-256 of the canonical JSON

	Asked   string
	Expires string
	Decided string // when and by whom; empty: not yet
	Until   string // Expires, in few words
	// DecidedBy is by whom alone.
	DecidedBy string

	Lost *LostLogin // of the viewer, when the call needs it

	Together int        // calls that can be decided together with this one, with it; 0: it is decided alone
	Proposes bool       // the viewer may propose other values
	InPlace  []Replaced // values of a proposed call that differ from the one that was asked for; empty: nobody proposed it
	Late     bool       // the viewer's decision came when the call was over

	Outside []Source // of text from outside that the client was given before; empty: none
}

// Replaced is a value that somebody changed before a call was made.
type Replaced struct{ Path, Was, Is string }

// FactorLine is a role whose holders must agree to a call, and who has.
type FactorLine struct {
	Role   string
	Quorum int // how many must agree
	By     []string
	Met    bool
	Could  []string // who is known to hold the role; only of what is not met
	Others bool     // there are others
}

// argumentsInView is how many values stand on the page; the others are behind one click.
const argumentsInView = 20

// First are the values that come first: those at the top of the arguments, which say what
// kind of record the call is about, then the others as they were sent.
func (p ApprovalPage) First() []Argument { return p.ordered()[:min(len(p.Arguments), argumentsInView)] }

// Rest are the values after those.
func (p ApprovalPage) Rest() []Argument { return p.ordered()[min(len(p.Arguments), argumentsInView):] }

func (p ApprovalPage) ordered() (all []Argument) {
	for _, top := range []bool{true, false} {
		for _, a := range p.Arguments {
			if (len(a.Path) < 2) == top {
				all = append(all, a)
			}
		}
	}
	return all
}

// Long reports whether a value is more than a few lines.
func (a Argument) Long() bool { return len(a.Value) > 600 || strings.Count(a.Value, "\n") > 8 }

// Begin is the beginning of a long value.
func (a Argument) Begin() string {
	if r := []rune(a.Value); len(r) > 120 {
		return string(r[:120]) + "…"
	}
	return a.Value
}

// Source is where text came from: a record, or a tool where none is known.
type Source struct{ Tool, Object, ID string }

func (p ApprovalPage) page() head {
	title := p.Status + ": " + p.Tool
	if p.Open {
		title = "Approve " + p.Tool + "?"
	}
	return head{Template: "approval", Title: title, Viewer: &p.Viewer}
}
