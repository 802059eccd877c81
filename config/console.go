package config

import (
	"cmp"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"

	"sfmcp-proxy/authproxy/company"
)

// ofConsole is a provider with the key that it stands under.
type ofConsole struct {
	key string
	OIDC
}

// identityProviders are those that people may sign in with.
func (c *Config) identityProviders() (all []ofConsole) {
	if c.Console.OIDC.isSet() {
		all = append(all, ofConsole{"console.oidc", c.Console.OIDC})
	}
	for i, o := range c.Console.Providers {
		all = append(all, ofConsole{fmt.Sprintf("console.providers[%d]", i), o})
	}
	return all
}

func (o OIDC) isSet() bool {
	return o.Name+o.Issuer+o.ClientID+o.ClientSecret+o.ClientSecretFile+o.GroupsClaim+o.ACR != "" || len(o.Scopes) > 0
}

// roleName is what rules can ask for as role:NAME.
var roleName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

func (v *validator) console() {
	for key, d := range map[string]time.Duration{"console.roles_max_age": v.c.Console.RolesMaxAge, "console.session_idle": v.c.Console.SessionIdle} {
		if d < time.Minute || d > 24*time.Hour {
			v.add(key, d.String(), "1m to 24h")
		}
	}
	providers := v.c.identityProviders()
	for i, o := range providers {
		v.identityProvider(o, providers[:i])
		if !slices.ContainsFunc(v.c.Console.Roles, func(r Role) bool { return r.issuer(providers) == o.Issuer }) {
			v.add(o.key, "a provider with which nobody has a role", "console.roles with people of it: a sign-in that gives nothing protects nothing")
		}
	}
	for i, r := range v.c.Console.Roles {
		v.role(fmt.Sprintf("console.roles[%d]", i), r, providers)
	}
}

// identityProvider checks one; earlier are those before it.
func (v *validator) identityProvider(o ofConsole, earlier []ofConsole) {
	u, err := url.Parse(o.Issuer)
	switch {
	case err == nil && u.User != nil: // perhaps a password: not said again
		v.add(o.key+".issuer", "a user in the URL", "the provider's issuer, an https URL exactly as its tokens say it")
	case err != nil || u.Host == "" || u.RawQuery != "" || strings.ContainsAny(o.Issuer, "?# "):
		v.add(o.key+".issuer", quote(o.Issuer), "the provider's issuer, an https URL without query, exactly as its tokens say it")
	case u.Scheme != "https" && !(u.Scheme == "http" && loopback(u.Hostname())):
		v.add(o.key+".issuer", quote(o.Issuer), "https, or http on a loopback address")
	case u.Scheme == "http" && v.c.Production:
		v.add(o.key+".issuer", quote(o.Issuer), "https, because production is true")
	case slices.ContainsFunc(earlier, func(e ofConsole) bool { return e.Issuer == o.Issuer }):
		v.add(o.key+".issuer", quote(o.Issuer)+" a second time", "each provider once")
	}
	if slices.ContainsFunc(earlier, func(e ofConsole) bool { return e.ACR != "" && o.ACR != "" && e.ACR != o.ACR }) {
		v.add(o.key+".acr", quote(o.ACR), "the same as of the other providers, or nothing: rules with step_up know one way of signing in")
	}
	switch {
	case o.ClientID == "":
		v.add(o.key+".client_id", "nothing", "the client_id that the provider gave this proxy")
	case !trimmedLine(o.ClientID, 255):
		v.add(o.key+".client_id", quote(o.ClientID), "the client_id that the provider gave this proxy: one line, without spaces around it")
	}
	if o.GroupsClaim != "" && !trimmedLine(o.GroupsClaim, 255) { // a claim of that name never comes
		v.add(o.key+".groups_claim", quote(o.GroupsClaim), "the name of the claim that lists a person's groups: one line, without spaces around it")
	}
	if strings.Contains(o.ACR, " ") || !oneLine(o.ACR, 200) { // acr_values are separated by spaces (OpenID Connect Core 3.1.2.1)
		v.add(o.key+".acr", quote(o.ACR), "one value without spaces, as the provider says it in acr")
	}
	if o.ClientSecret == "" && v.c.Production {
		v.add(o.key+".client_secret_file", "nothing", "the client's secret, because production is true")
	}
	if !oneLine(o.Name, 60) {
		v.add(o.key+".name", quote(o.Name), "one line of at most 60 characters")
	}
	for i, s := range o.Scopes {
		if s == "" || s == "openid" || strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' || r == '"' || r == '\\' }) {
			v.add(fmt.Sprintf("%s.scopes[%d]", o.key, i), quote(s), "a scope beside openid, such as profile, email or groups")
		}
	}
}

// role checks one; providers are all.
func (v *validator) role(key string, r Role, providers []ofConsole) {
	if !roleName.MatchString(r.Role) || r.Role == "requester" {
		v.add(key+".role", quote(r.Role), "a name of letters, digits, dot, dash and underscore, such as security, approver or auditor; not requester, and without role:")
	}
	if len(r.Subjects)+len(r.Groups)+len(r.Emails) == 0 {
		v.add(key, "a role that nobody has", "subjects, groups or emails")
	}
	for name, list := range map[string][]string{"subjects": r.Subjects, "groups": r.Groups, "emails": r.Emails} {
		for i, member := range list {
			if !trimmedLine(member, 255) || name == "emails" && !username.MatchString(member) {
				v.add(fmt.Sprintf("%s.%s[%d]", key, name, i), quote(member), "what the provider says: one line, not empty, without spaces around it; of emails an address")
			}
		}
	}
	if len(providers) == 0 {
		return // Notes tells
	}
	at := slices.IndexFunc(providers, func(o ofConsole) bool { return o.Issuer == r.issuer(providers) })
	switch {
	case at < 0 && r.Issuer == "":
		v.add(key+".issuer", "nothing", "the issuer of one of the providers: a subject or group of one is nobody's at another")
	case at < 0:
		v.add(key+".issuer", quote(r.Issuer), "the issuer of a provider under console.oidc or console.providers")
	case len(r.Groups) > 0 && providers[at].GroupsClaim == "":
		v.add(key+".groups", "groups, and "+providers[at].key+".groups_claim is not set", "the name of the claim that lists a person's groups there")
	}
}

// issuer is that of the role's provider; "" if it cannot be told.
func (r Role) issuer(providers []ofConsole) string {
	if r.Issuer == "" && len(providers) == 1 {
		return providers[0].Issuer
	}
	return r.Issuer
}

// oneLine reports whether a text can be shown on one line.
func oneLine(s string, most int) bool {
	return len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return !unicode.IsPrint(r) })
}

// trimmedLine reports whether a text that is compared with what a provider says can be equal to
// it: something on one line, without spaces that nobody sees around it.
func trimmedLine(s string, most int) bool {
	return s != "" && strings.TrimSpace(s) == s && oneLine(s, most)
}

// StepUpACR is the way of signing in that rules with step_up ask for; empty: nobody can.
func (c *Config) StepUpACR() string {
	for _, o := range c.identityProviders() {
		if o.ACR != "" {
			return o.ACR
		}
	}
	return ""
}

// Company returns the providers and roles in the form that package company works with.
func (c *Config) Company() company.Config {
	out, providers := company.Config{RedirectURI: c.PublicURL + "/oauth/company/callback"}, c.identityProviders()
	for _, o := range providers {
		name := o.Issuer
		if u, err := url.Parse(o.Issuer); err == nil {
			name = u.Host
		}
		out.Providers = append(out.Providers, company.Provider{Name: cmp.Or(o.Name, name), Issuer: o.Issuer, ClientID: o.ClientID,
			ClientSecret: o.ClientSecret, Scopes: o.Scopes, GroupsClaim: o.GroupsClaim, ACR: o.ACR})
	}
	for _, r := range c.Console.Roles {
		out.Roles = append(out.Roles, company.Role{Role: r.Role, Issuer: r.issuer(providers), Subjects: r.Subjects, Groups: r.Groups, Emails: r.Emails})
	}
	return out
}
