package reseal

import (
	"fmt"
	"strings"

	"sfmcp-proxy/authproxy/seal"
)

// column is a column with sealed values, and how a row says where it was sealed.
type column struct {
	table, name string
	// key is the primary key: text columns, in the order in which rows are read.
	key []string
	// row, org and subject are SQL expressions for the parts of [seal.Place].
	row, org, subject string
	purpose           string
	// only is a condition for tables that hold other things too.
	only string
}

// columns are all of them but those that nobody needs for long: see [passing]. The mark of the database is the
// first: a process that lacks the newest key sees by it that it does, before it meets anything else.
var columns = []column{
	{"meta", "value", []string{"name"}, "name", "''", "''", "claim", "name = 'ring'"},
	{"meta", "value", []string{"name"}, "name", "''", "''", "blocked users", "name = 'blocked'"},
	{"links", "sealed_access", []string{"org", "subject"}, "org || '/' || subject", "org", "subject", "access", ""},
	{"links", "sealed_refresh", []string{"org", "subject"}, "org || '/' || subject", "org", "subject", "refresh", ""},
	{"upstream_revocations", "sealed_token", []string{"id"}, "id", "org", "subject", "refresh", ""},
	{"approvals", "sealed_arguments", []string{"id"}, "id", "org", "subject", "approval arguments", ""},
	{"approvals", "sealed_result", []string{"id"}, "id", "org", "subject", "approval result", ""},
	{"approvals", "sealed_reason", []string{"id"}, "id", "org", "subject", "reason of a denial", ""},
	{"approval_checks", "sealed_images", []string{"request_id"}, "request_id", ofApproval("org"), ofApproval("subject"), "record before and after", ""},
	{"approval_checks", "sealed_resolution", []string{"request_id"}, "request_id", ofApproval("org"), ofApproval("subject"), "resolution of an outcome", ""},
	{"audit_persons", "sealed_key", []string{"org", "pseudonym"}, "pseudonym", "org", "subject", "audit person", ""},
}

// passing are sealed columns whose rows end by themselves, and why they need no new key.
var passing = map[string]string{
	"authorization_requests.sealed_verifier": "a sign-in lasts ten minutes, and the row's MAC covers the value",
	"api_replays.sealed_answer":              "an answer is kept for a day, for a repeat of its request",
	"refresh_tokens.sealed_successor":        "sealed with the previous refresh token and not with the ring, for two minutes",
}

func ofApproval(name string) string {
	return "(SELECT a." + name + " FROM approvals a WHERE a.id = approval_checks.request_id)"
}

// where is the condition of rows that hold a sealed value.
func (c column) where() string {
	if c.only != "" {
		return c.name + " LIKE 'v1.%' AND " + c.only
	}
	return c.name + " LIKE 'v1.%'"
}

// after is the condition that a row comes after a key, whose values are $n and the next.
func (c column) after(n int) string {
	marks := make([]string, len(c.key))
	for i := range marks {
		marks[i] = fmt.Sprintf("$%d", n+i)
	}
	return "(" + strings.Join(c.key, ", ") + ") > (" + strings.Join(marks, ", ") + ")"
}

// is is the condition that a row has a key.
func (c column) is(n int) string {
	equal := make([]string, len(c.key))
	for i, name := range c.key {
		equal[i] = fmt.Sprintf("%s = $%d", name, n+i)
	}
	return strings.Join(equal, " AND ")
}

// sealed is a value that is not sealed with the newest key.
type sealed struct {
	key   []string
	place seal.Place
	value string
}

func (c column) place(row, org, subject string) seal.Place {
	return seal.Place{Table: c.table, Row: row, Org: org, Subject: subject, Purpose: c.purpose}
}
