package access

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
)

// Scope is the one scope that opens an MCP endpoint. What may be done there is the
// policy's business.
const Scope = "mcp"

// Everyone, in the groups of a server, stands for every user of its org.
const Everyone = "*"

// Org is a Salesforce org that people can sign in to.
type Org struct {
	Name string
	// Kind is production, sandbox or scratch, for people to read; "" if it is not known.
	Kind string
	// LoginURL is where people are sent, Issuer what its responses name in iss (RFC
	// 9207) if they name anything; "" means LoginURL.
	LoginURL, Issuer string
	// Scopes are the ones asked of Salesforce, for people to read.
	Scopes []string
}

// Host is the host of the org's login page.
func (o Org) Host() string {
	u, err := url.Parse(o.LoginURL)
	if err != nil {
		return ""
	}
	return u.Host
}

// Server is one MCP endpoint of ours, a protected resource, in front of one hosted MCP
// server of Salesforce.
type Server struct {
	Name               string              // last path segment: /mcp/NAME; see [ValidServerName]
	Title, Description string              // for people; may be empty
	Org                string              // name of the org it belongs to
	URL                string              // of the hosted MCP server
	Timeout            time.Duration       // of one call; 0: 60 s
	Policy             *policy.Policy      // what may be called
	Declared           []reach.Declaration // what the operator says of tools that nobody else knows
	Groups             []string            // who may use it; [Everyone]: every user of the org; empty: nobody
	// ServerRequests are what the hosted server may ask of a client that can answer, by
	// capability: see [ValidServerRequest]. Empty: nothing.
	ServerRequests []string

	CallsPerMinute  int // of all users together; 0: no limit of its own
	ConcurrentCalls int // of all users together; 0: no limit of its own
}

// ValidServerName reports whether a server can be called so, and a path name it: 1 to 63
// lower-case letters, digits and hyphens, with no hyphen at either end.
func ValidServerName(name string) bool {
	if name == "" || len(name) > 63 || name[0] == '-' || name[len(name)-1] == '-' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; !('a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// ValidServerRequest reports whether a capability is one by which a hosted server can ask
// something of a client: sampling, elicitation, roots.
func ValidServerRequest(capability string) bool {
	return slices.Contains([]string{"sampling", "elicitation", "roots"}, capability)
}

// MayRequest reports whether the hosted server may ask a client for what the capability
// names.
func (s *Server) MayRequest(capability string) bool {
	return slices.Contains(s.ServerRequests, capability)
}

// admits reports whether a member of groups may use s.
func (s *Server) admits(groups []string) bool {
	return slices.Contains(s.Groups, Everyone) || slices.ContainsFunc(groups, func(g string) bool { return slices.Contains(s.Groups, g) })
}

// validate reports everything that is wrong with s on its own.
func (s *Server) validate() error {
	var problems []error
	problem := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("server %q: "+format, append([]any{s.Name}, args...)...))
	}
	if !ValidServerName(s.Name) {
		problem("name: expected lower-case letters, digits and hyphens")
	}
	if err := ValidateUpstream(s.URL, true); err != nil {
		problem("URL %q: expected %w", s.URL, err)
	}
	if s.Policy == nil {
		problem("a policy is required")
	}
	for _, capability := range s.ServerRequests {
		if !ValidServerRequest(capability) {
			problem("%q is no request that can be passed", capability)
		}
	}
	return errors.Join(problems...)
}

// holds reports whether a list of scopes (RFC 6749 3.3) has one.
func holds(list, scope string) bool {
	for s := range strings.SplitSeq(list, " ") {
		if s == scope {
			return true
		}
	}
	return false
}
