package ui

// PersonPage is the account of somebody who signed in with the company and not at Salesforce.
type PersonPage struct {
	Viewer Viewer
	Person *PersonCard
}

func (p PersonPage) page() head {
	return head{Template: "person", Title: "Your account", Viewer: &p.Viewer}
}

// PersonCard is a company sign-in on an account page.
type PersonCard struct {
	Label, Subject, Issuer string
	ID                     string // of the session: field "person" of the form that links
	Roles                  string // empty: none
	ACR                    string // how they signed in; may be empty
	Since, Until           string // Since empty: not known
	// Both says that the browser is signed in at Salesforce, too; Linked that the two are known
	// to be one human, LinkedElsewhere that the Salesforce user is known as another one.
	Both, Linked, LinkedElsewhere bool
	// Renew is where the company is asked again, because what it said is too old to give roles;
	// empty: it is not.
	Renew string
	// Users are the Salesforce users who are the same human, and Others the other browsers in which
	// the person is signed in, in words.
	Users  []LinkedUser
	Others []string
}

// LinkedUser is a Salesforce user.
type LinkedUser struct{ Subject, Org string }
