package audit

import (
	"slices"
	"strings"
)

// Action is what was done, or tried, as noun.verb. [Actions] says when each is written.
type Action string

// The actions, by noun.
const (
	APITokenCreate       Action = "apitoken.create"
	APITokenRevoke       Action = "apitoken.revoke"
	APITokenUse          Action = "apitoken.use"
	ApprovalDecide       Action = "approval.decide"
	ApprovalPreview      Action = "approval.preview"
	ApprovalRead         Action = "approval.read"
	ApprovalResolve      Action = "approval.resolve"
	ApprovalUndo         Action = "approval.undo"
	ApprovalVerify       Action = "approval.verify"
	ApprovalVoid         Action = "approval.void"
	AuthorizationOpen    Action = "authorization.open"
	BudgetAlarm          Action = "budget.alarm"
	ClientAuthenticate   Action = "client.authenticate"
	ClientBlock          Action = "client.block"
	ClientRegister       Action = "client.register"
	ClientRevoke         Action = "client.revoke"
	ClientUnblock        Action = "client.unblock"
	CompletionComplete   Action = "completion.complete"
	ConfigReload         Action = "config.reload"
	ConsentDecide        Action = "consent.decide"
	DefinitionAccept     Action = "definition.accept"
	DefinitionBegin      Action = "definition.begin"
	DefinitionQuarantine Action = "definition.quarantine"
	DefinitionReject     Action = "definition.reject"
	DoctorList           Action = "doctor.list"
	DoctorQuery          Action = "doctor.query"
	EvidenceMake         Action = "evidence.make"
	ExportBegin          Action = "export.begin"
	ExportFail           Action = "export.fail"
	ExportHeal           Action = "export.heal"
	ExportMove           Action = "export.move"
	ExportSkip           Action = "export.skip"
	ExportTest           Action = "export.test"
	GrantCreate          Action = "grant.create"
	GrantReplay          Action = "grant.replay"
	GrantRevoke          Action = "grant.revoke"
	LinkLost             Action = "link.lost"
	LinkRefresh          Action = "link.refresh"
	LinkRevoke           Action = "link.revoke"
	LogAcknowledge       Action = "log.acknowledge"
	LogApply             Action = "log.apply"
	LogClock             Action = "log.clock"
	LogClose             Action = "log.close"
	LogCut               Action = "log.cut"
	LogExport            Action = "log.export"
	LogJoin              Action = "log.join"
	LogObserve           Action = "log.observe"
	LogPrune             Action = "log.prune"
	LogRead              Action = "log.read"
	LogReconcile         Action = "log.reconcile"
	LogResume            Action = "log.resume"
	LogTakeOver          Action = "log.takeover"
	LoginFinish          Action = "login.finish"
	PersonLink           Action = "person.link"
	PersonUnlink         Action = "person.unlink"
	PolicyChange         Action = "policy.change"
	PolicyReplay         Action = "policy.replay"
	PromptGet            Action = "prompt.get"
	PromptList           Action = "prompt.list"
	ReportMake           Action = "report.make"
	RequestRefuse        Action = "request.refuse"
	ResourceList         Action = "resource.list"
	ResourceRead         Action = "resource.read"
	ReviewBegin          Action = "review.begin"
	ReviewDecide         Action = "review.decide"
	ReviewInclude        Action = "review.include"
	SchemaRead           Action = "schema.read"
	ServerAnswer         Action = "server.answer"
	ServerRequest        Action = "server.request"
	ServerUse            Action = "server.use"
	SessionCreate        Action = "session.create"
	SessionEnd           Action = "session.end"
	SessionUse           Action = "session.use"
	StopHere             Action = "stop.here"
	StopSet              Action = "stop.set"
	StoreMigrate         Action = "store.migrate"
	StoreTamper          Action = "store.tamper"
	StreamOpen           Action = "stream.open"
	SubjectErase         Action = "subject.erase"
	TokenIssue           Action = "token.issue"
	TokenRefresh         Action = "token.refresh"
	TokenRevoke          Action = "token.revoke"
	TokenUse             Action = "token.use"
	ToolCall             Action = "tool.call"
	ToolList             Action = "tool.list"
	UserBlock            Action = "user.block"
	UserLookup           Action = "user.lookup"
	UserRevoke           Action = "user.revoke"
	UserUnblock          Action = "user.unblock"
)

// kind is what an action leaves behind.
type kind int

const (
	acts  kind = iota + 1 // something is different: who may do what, what was decided, what somebody else has
	looks                 // nothing is: something was read, refused, or found to be so
)

// Described is an action with when it is written.
type Described struct {
	Action Action
	kind   kind
	When   string // completes "Written when …"
}

// Actions lists every action, by name.
func Actions() []Described { return slices.Clone(actions) }

var actions = []Described{
	{APITokenCreate, acts, "an operator makes a token for the security team's API"},
	{APITokenRevoke, acts, "a token for the security team's API is revoked"},
	{APITokenUse, looks, "a token for the security team's API is shown that is revoked or at its end, or asks for what its role may not"},
	{ApprovalDecide, acts, "a person approves or denies a call that waits, or proposes another in its place, or tries to"},
	{ApprovalPreview, looks, "Salesforce is asked, as the requester, for what a call that waits would change"},
	{ApprovalRead, looks, "somebody is given the evidence of a call that waited, with its arguments"},
	{ApprovalResolve, acts, "a person says whether a call was carried out whose answer was lost"},
	{ApprovalUndo, acts, "a person asks for the call that takes another one back"},
	{ApprovalVerify, looks, "Salesforce is asked, as the requester, what a call has come to, where its rule says verify"},
	{ApprovalVoid, acts, "a call that waited, or was approved and not made, ends with what it depends on: its user, client or connection"},
	{AuthorizationOpen, looks, "a client's authorization request is refused before a person sees it"},
	{BudgetAlarm, looks, "much of a budget is used, and when a call is refused because it is used up; once in a window each"},
	{ClientAuthenticate, looks, "somebody who claims to be a client cannot prove it"},
	{ClientBlock, acts, "all connections of a client are ended, and it is refused from then on"},
	{ClientRegister, acts, "a client registers itself"},
	{ClientRevoke, acts, "all connections of a client are ended"},
	{ClientUnblock, acts, "a client that was blocked may be connected again"},
	{CompletionComplete, looks, "a client asks for completions of an argument"},
	{ConfigReload, acts, "a changed configuration is taken into force, or is refused"},
	{ConsentDecide, acts, "a person denies a client the connection that it asks for"},
	{DefinitionAccept, acts, "a person accepts a definition of a hosted server"},
	{DefinitionBegin, acts, "the first list of a hosted server is recorded, and accepted unless a person has to"},
	{DefinitionQuarantine, acts, "a hosted server lists what is not accepted: a new name, another text under a name, or a name twice"},
	{DefinitionReject, acts, "a person rejects a definition of a hosted server, or takes its acceptance back"},
	{DoctorList, looks, "the command doctor lists a server's tools as a user"},
	{DoctorQuery, looks, "the command doctor makes one query as a user, or asks for the schema of an object that rules name"},
	{EvidenceMake, looks, "entries of the log, with their proofs, are packed for somebody to take away"},
	{ExportBegin, acts, "entries are about to be sent to a destination that has had none of this log"},
	{ExportFail, looks, "a destination has taken nothing for a minute, though it was sent something"},
	{ExportHeal, looks, "a destination of which that was said takes entries again"},
	{ExportMove, acts, "a person has a destination go on behind another entry"},
	{ExportSkip, acts, "entries were removed by age before a destination took them"},
	{ExportTest, looks, "a person sends a destination an entry that is marked as a test"},
	{GrantCreate, acts, "a person who allowed it and signed in gets a connection, or is refused one"},
	{GrantReplay, acts, "a code or refresh token that was used up comes again, and its connection is ended"},
	{GrantRevoke, acts, "one connection is ended: by its user, its client or the security team"},
	{LinkLost, acts, "a Salesforce login can no longer be refreshed"},
	{LinkRefresh, acts, "a Salesforce login is refreshed, or that fails"},
	{LinkRevoke, acts, "a Salesforce login is revoked at Salesforce, or that fails"},
	{LogAcknowledge, acts, "a person has seen that the log and its checkpoints do not agree, and goes on"},
	{LogApply, acts, "what the log says was taken away, and a database that was put back does not know, is taken away again"},
	{LogClock, looks, "the clock of the machine has gone back by more than a minute: entries from there on have earlier times than some before"},
	{LogClose, acts, "the audit log of a replica that went away for good is closed in the roster"},
	{LogCut, looks, "what a crash left at the end of the log, and nobody was told of, was cut off"},
	{LogExport, looks, "entries are written out, with their arguments, for somebody to take away"},
	{LogJoin, looks, "this log is entered into the roster of audit logs"},
	{LogObserve, looks, "the logs of the roster are looked at: how many entries each has, with which root"},
	{LogPrune, acts, "entries that are older than they are kept are removed"},
	{LogRead, looks, "somebody reads an entry whole, with its arguments: on a page, by the API or by a command"},
	{LogReconcile, looks, "the log is compared with those of ChatGPT or Salesforce"},
	{LogResume, looks, "the log can be written again, after entries could not be: what they announced was not done"},
	{LogTakeOver, acts, "the log that an earlier version kept in the database was taken over, or is not sound"},
	{LoginFinish, acts, "a person comes back from Salesforce's login page, or fails to sign in with the company"},
	{PersonLink, acts, "a Salesforce user and a person of the company, signed in in one browser, say that they are one human"},
	{PersonUnlink, acts, "a person takes such a link away at the command line"},
	{PolicyChange, acts, "a changed configuration decides calls on a server otherwise; it says which"},
	{PolicyReplay, looks, "recorded calls are judged by a draft of a policy"},
	{PromptGet, looks, "a client asks for a prompt"},
	{PromptList, looks, "a client lists prompts"},
	{ReportMake, looks, "a report is made of what happened in a time"},
	{RequestRefuse, looks, "a request of a connected client is malformed or over a limit"},
	{ResourceList, looks, "a client lists resources or resource templates"},
	{ResourceRead, looks, "a client reads a resource"},
	{ReviewBegin, acts, "a review begins of who has access, and uses it"},
	{ReviewDecide, acts, "a person decides in a review that somebody keeps the access to a server, or that it ends"},
	{ReviewInclude, looks, "a review begins, for each person and server in it: what of it they used"},
	{SchemaRead, looks, "the proxy asks Salesforce, as a user, what an object is, to understand a call of this user"},
	{ServerAnswer, acts, "a client answers a request of the hosted server"},
	{ServerRequest, acts, "a request of the hosted server is passed on to a client"},
	{ServerUse, looks, "a good access token is refused at its server"},
	{SessionCreate, acts, "a browser is signed in"},
	{SessionEnd, acts, "a person signs a browser out"},
	{SessionUse, looks, "somebody who is signed in asks for an act of the console that their roles do not give"},
	{StopHere, acts, "everything is stopped on one machine by a file or a signal, or that is lifted"},
	{StopSet, acts, "the kill switch is set"},
	{StoreMigrate, acts, "everything that the database has was moved to another one"},
	{StoreTamper, looks, "a row of the database turns out to be changed by something else than the proxy, and counts as absent"},
	{StreamOpen, looks, "a client opens a stream of notifications"},
	{SubjectErase, acts, "what the log and the database have about a person is erased"},
	{TokenIssue, acts, "a client redeems a code, or is refused"},
	{TokenRefresh, looks, "a client is refused new tokens"},
	{TokenRevoke, acts, "a client revokes an access token"},
	{TokenUse, looks, "an access token of one server is used at another"},
	{ToolCall, acts, "a client calls a tool"},
	{ToolList, looks, "a client lists tools"},
	{UserBlock, acts, "a user is blocked"},
	{UserLookup, looks, "Salesforce is asked for the name of a user who signed in"},
	{UserRevoke, acts, "everything that a user has is ended"},
	{UserUnblock, acts, "a user is no longer blocked"},
}

// looked are the actions that leave nothing behind.
var looked = func() map[Action]bool {
	all := map[Action]bool{}
	for _, d := range actions {
		all[d.Action] = d.kind == looks
	}
	return all
}()

// Acts reports whether an action leaves something different behind. One that only reads, refuses, or notes what was found
// does not; one that is not listed counts as if it did.
func (a Action) Acts() bool { return !looked[a] }

// Matches reports whether filter selects a: by its name, or by its noun and a dot.
func (a Action) Matches(filter string) bool {
	return string(a) == filter || strings.HasSuffix(filter, ".") && strings.HasPrefix(string(a), filter)
}
