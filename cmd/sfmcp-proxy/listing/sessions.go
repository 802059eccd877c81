package listing

import (
	"cmp"
	"strings"

	"sfmcp-proxy/authproxy/people"
)

// sessionRow is a browser that is signed in with the company.
type sessionRow struct {
	ID       string   `json:"id" col:"SESSION"`
	Who      string   `json:"-" col:"WHO" fit:"line"`
	Issuer   string   `json:"issuer"`
	Subject  string   `json:"subject" col:"SUBJECT" fit:"line"`
	Name     string   `json:"name,omitempty"`
	Roles    []string `json:"roles"`
	InWords  string   `json:"-" col:"ROLES" fit:"line,late"`
	Stale    bool     `json:"stale"` // its claims are too old to give roles
	ACR      string   `json:"acr,omitempty"`
	LastSeen moment   `json:"last_seen" col:"LAST SEEN"`
	Begun    moment   `json:"begun" col:"SINCE" fit:"drop"`
	Ends     moment   `json:"ends"`
	// Users are the Salesforce users who are the same human.
	Users    []SalesforceUser `json:"salesforce_users"`
	AlsoUser string           `json:"-" col:"SALESFORCE USER" fit:"line,id"`
	Provider string           `json:"-" col:"PROVIDER" fit:"cut,drop"`
}

// SalesforceUser is a user in one org.
type SalesforceUser struct {
	Org     string `json:"org"`
	Subject string `json:"subject"`
}

// Session is a sign-in with the company, and the Salesforce users who are the same human.
type Session struct {
	people.Person
	Users []SalesforceUser
}

// Sessions prints browsers that are signed in with the company.
func (p Printer) Sessions(all []Session) error {
	list := make([]sessionRow, len(all))
	for i, s := range all {
		var also []string
		for _, u := range s.Users {
			also = append(also, u.Subject+" in "+u.Org)
		}
		list[i] = sessionRow{ID: s.ID, Who: s.Label(), Issuer: s.Issuer, Subject: s.Subject, Name: s.Name, Roles: append([]string{}, s.Roles...), InWords: rolesInWords(s.Roles, s.Stale),
			Stale: s.Stale, ACR: s.ACR, LastSeen: moment{s.SeenAt}, Begun: moment{s.CreatedAt}, Ends: moment{s.ExpiresAt},
			Users: append([]SalesforceUser{}, s.Users...), AlsoUser: strings.Join(also, ", "), Provider: s.Issuer}
	}
	return rows(p, list)
}

// rolesInWords are the roles that somebody holds by a sign-in.
func rolesInWords(roles []string, stale bool) string {
	if stale {
		return "none until the provider is asked again"
	}
	return cmp.Or(strings.Join(roles, ", "), "none")
}
