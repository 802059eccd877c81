package listing

import (
	"fmt"

	"sfmcp-proxy/authproxy/grant"
	"sfmcp-proxy/authproxy/link"
	"sfmcp-proxy/authproxy/ui"
)

type userRow struct {
	Org         string `json:"org" col:"ORG" fit:"line"`
	Subject     string `json:"subject" col:"USER ID"`
	Username    string `json:"username" col:"USERNAME"`
	Name        string `json:"name" col:"NAME" fit:"cut,drop"`
	Connections int    `json:"connections" col:"CONNECTIONS" fit:"drop"`
	Salesforce  string `json:"salesforce" col:"SALESFORCE LOGIN" fit:"drop"`
	Blocked     bool   `json:"blocked" col:"BLOCKED"`
	LastSeen    moment `json:"last_seen" col:"LAST SIGN-IN" fit:"drop"`
	// What is wrong with the Salesforce login; below the table for people.
	LoginEnded moment `json:"login_ended"`
	LoginWhy   string `json:"login_why"`
	LoginClass string `json:"login_class"`
	LoginFix   string `json:"login_fix"`
	// Who of the company is the same human, below the table for people.
	PersonIssuer  string `json:"person_issuer"`
	PersonSubject string `json:"person_subject"`
}

// User is a user and the state of their Salesforce login.
type User struct {
	grant.User
	Login link.Status
	// Issuer and Person are of the person of the company who is the same human; empty: nobody is known to be.
	Issuer, Person string
}

// row says of a login that fails why it does, and which setting of Salesforce or of the
// configuration to look at.
func (u User) row() userRow {
	row := userRow{Org: u.Org, Subject: u.Subject, Username: u.Username, Name: u.Name, Connections: u.Connections,
		PersonIssuer: u.Issuer, PersonSubject: u.Person,
		Salesforce: string(u.Login.State), Blocked: u.Blocked(), LastSeen: moment{u.LastSeenAt}, LoginWhy: u.Login.Why}
	if u.Login.State != link.Active {
		row.LoginEnded = moment{u.Login.RefreshedAt}
	}
	if f := u.Login.Failure; f.Kind != "" {
		row.LoginWhy, row.LoginClass, row.LoginFix = f.Reason(), string(f.Kind), f.Hint
		if f.Lost { // what can be done follows from that, not from the kind
			row.LoginClass = "lost"
		}
	}
	return row
}

// Users prints users, and below the table which logins fail and what to change.
func (p Printer) Users(users []User) error {
	all := make([]userRow, len(users))
	for i, u := range users {
		all[i] = u.row()
	}
	if err := rows(p, all); err != nil || p.JSON {
		return err
	}
	return p.logins(all)
}

// UserWithGrants prints users, their connections, and which logins fail.
func (p Printer) UserWithGrants(users []User, grants []grant.Grant) error {
	all := make([]userRow, len(users))
	for i, u := range users {
		all[i] = u.row()
	}
	if err := rows(p, all); err != nil {
		return err
	}
	if err := p.Grants(grants); err != nil || p.JSON {
		return err
	}
	return p.logins(all)
}

// logins prints what stands below the table: who of the company a user is, and which logins fail.
func (p Printer) logins(all []userRow) error {
	for _, row := range all {
		if row.PersonSubject != "" {
			if _, err := fmt.Fprintf(p.Out, "\n%s in org %s is %q of %s\n", Person(row.Username, row.Subject), row.Org, row.PersonSubject, row.PersonIssuer); err != nil {
				return err
			}
		}
		if row.LoginClass == "" {
			continue
		}
		how := "Salesforce login fails to be renewed"
		if !row.LoginEnded.IsZero() {
			how = "Salesforce login ended " + localTime(row.LoginEnded.Time)
		}
		_, err := fmt.Fprintf(p.Out, "\n%s in org %s: %s: %s\n", Person(row.Username, row.Subject), row.Org, how, ui.Printable(row.LoginWhy))
		if row.LoginFix != "" && err == nil {
			_, err = fmt.Fprintf(p.Out, "  %s\n", ui.Printable(row.LoginFix))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// Person is how people know a user.
func Person(username, subject string) string {
	if username != "" {
		return ui.Printable(username) + " (" + subject + ")"
	}
	return subject
}
