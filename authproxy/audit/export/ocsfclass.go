package export

import (
	"cmp"

	"sfmcp-proxy/authproxy/audit"
)

// The classes of OCSF.
const (
	accountChange  = 3001
	authentication = 3002
	userAccess     = 3005
	apiActivity    = 6003
)

// ocsfClass is a class with one of its activities.
type ocsfClass struct{ uid, activity int }

// ocsfClasses are the actions that are no API Activity, or are one of a fixed kind. Calls are
// an API Activity of what they do; every other action is one of another kind.
var ocsfClasses = map[audit.Action]ocsfClass{
	// Logon, Logoff, Authentication Ticket, Service Ticket Renew, other.
	audit.SessionCreate: {authentication, 1}, audit.SessionEnd: {authentication, 2}, audit.LoginFinish: {authentication, 1},
	audit.TokenIssue: {authentication, 3}, audit.TokenRefresh: {authentication, 5}, audit.TokenRevoke: {authentication, ocsfOther},
	audit.TokenUse: {authentication, ocsfOther}, audit.ClientAuthenticate: {authentication, 1},
	audit.LinkRefresh: {authentication, 5}, audit.LinkLost: {authentication, 2}, audit.LinkRevoke: {authentication, 2},
	// Disable, Enable, Delete, other.
	audit.UserBlock: {accountChange, 5}, audit.UserUnblock: {accountChange, 2}, audit.UserRevoke: {accountChange, ocsfOther}, audit.SubjectErase: {accountChange, 6},
	audit.PersonLink: {accountChange, ocsfOther}, audit.PersonUnlink: {accountChange, ocsfOther},
	// Assign Privileges, Revoke Privileges, other.
	audit.GrantCreate: {userAccess, 1}, audit.GrantRevoke: {userAccess, 2}, audit.GrantReplay: {userAccess, 2}, audit.ConsentDecide: {userAccess, ocsfOther},
	// Create, Read, Update, Delete.
	audit.ClientRegister: {apiActivity, 1}, audit.ApprovalRead: {apiActivity, 2}, audit.ApprovalPreview: {apiActivity, 2}, audit.ApprovalVerify: {apiActivity, 2},
	audit.LogRead: {apiActivity, 2}, audit.LogExport: {apiActivity, 2}, audit.PromptGet: {apiActivity, 2}, audit.PromptList: {apiActivity, 2}, audit.ResourceList: {apiActivity, 2},
	audit.ResourceRead: {apiActivity, 2}, audit.SchemaRead: {apiActivity, 2}, audit.ToolList: {apiActivity, 2}, audit.UserLookup: {apiActivity, 2},
	audit.DoctorList: {apiActivity, 2}, audit.DoctorQuery: {apiActivity, 2}, audit.ApprovalDecide: {apiActivity, 3}, audit.ConfigReload: {apiActivity, 3},
	audit.PolicyChange: {apiActivity, 3}, audit.StopSet: {apiActivity, 3}, audit.LogPrune: {apiActivity, 4},
}

// ocsfCalls are the activities of calls, by the class of their tool.
var ocsfCalls = map[string]int{"create": 1, "read": 2, "update": 3, "delete": 4}

// classOf is what an entry is in OCSF.
func classOf(e *audit.Entry) ocsfClass {
	if e.Action == audit.ToolCall {
		return ocsfClass{apiActivity, cmp.Or(ocsfCalls[e.Class], ocsfOther)}
	}
	if class, ok := ocsfClasses[e.Action]; ok {
		return class
	}
	return ocsfClass{apiActivity, ocsfOther}
}

// complete gives an event what its class has and others have not.
func (c ocsfClass) complete(event *ocsfEvent, e *audit.Entry) {
	if c.uid == apiActivity {
		event.API = &ocsfAPI{Operation: cmp.Or(e.Tool, string(e.Action))}
		if e.Server != "" {
			event.API.Service = &ocsfNamed{e.Server}
		}
		if e.RequestID != "" {
			event.API.Request = &ocsfAsked{e.RequestID}
		}
		return
	}
	if event.User = userOf(e); event.User == nil { // nobody is known: then it is about the client, or a stranger
		event.User = &ocsfUser{Name: cmp.Or(e.Client, e.Actor.String())}
	}
	switch c.uid {
	case authentication:
		event.Service, event.Resources = &ocsfNamed{cmp.Or(e.Server, "sfmcp-proxy")}, nil
	case userAccess:
		event.Privileges, event.Resources = []string{"calls on server " + cmp.Or(e.Server, "?")}, resourceOnly(event.Resources)
	case accountChange:
		event.Resources = nil
	}
}

// resourceOnly: User Access has its resources, as far as there is one.
func resourceOnly(all []ocsfResource) []ocsfResource { return all[:min(len(all), 1)] }
