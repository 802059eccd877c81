package salesforcesim

import (
	"net/http"
	"net/url"
	"strings"
)

const (
	gatewayPrefix        = "/platform/mcp/v1/"
	resourceMetadataPath = "/.well-known/oauth-protected-resource"
	serverMetadataPath   = "/.well-known/oauth-authorization-server"
)

// Handler serves every host of the simulated Salesforce: the gateway under /platform/,
// the login host and My Domain of the first org at the root, those of the other orgs
// under /orgs/NAME.
func (s *Sim) Handler() http.Handler {
	return s.log.recorded(s.now, hosts{sim: s, pages: loginPages{s}, oauth: oauthEndpoints{s}})
}

// hosts sends each request to the org and the part of Salesforce that its path names.
type hosts struct {
	sim   *Sim
	pages loginPages
	oauth oauthEndpoints
}

// ServeHTTP routes by hand, on the path as it was sent: http.ServeMux would clean a path
// before the gateway can refuse it.
func (h hosts) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Date", h.sim.now().UTC().Format(http.TimeFormat)) // by its clock, not by that of net/http
	switches := h.sim.Switches()
	if switches.Down {
		htmlError(w, http.StatusServiceUnavailable)
		return
	}
	path := r.URL.EscapedPath()
	if switches.LenientPaths {
		path = lenient(path)
	}
	if strings.HasPrefix(path, "/platform/") {
		h.sim.gateway.serve(w, r, path)
		return
	}
	o, rest := h.hostOf(path)
	if o == nil {
		http.NotFound(w, r)
		return
	}
	h.serveOrg(w, r, o, rest)
}

// hostOf is the org whose host a path is on, and the path there.
func (h hosts) hostOf(path string) (*org, string) {
	rest, ok := strings.CutPrefix(path, "/orgs/")
	if !ok {
		return h.sim.orgs[0], path
	}
	name, rest, _ := strings.Cut(rest, "/")
	if o := h.sim.org(name); o != nil && o.prefix != "" {
		return o, "/" + rest
	}
	return nil, ""
}

// serveOrg serves the login host and My Domain of one org.
func (h hosts) serveOrg(w http.ResponseWriter, r *http.Request, o *org, path string) {
	switch path {
	case "/services/oauth2/authorize":
		h.pages.serveAuthorize(w, r, o)
	case approvalPath:
		h.pages.serveApproval(w, r, o)
	case loginPath:
		h.pages.serveLogin(w, r, o)
	case logoutPath:
		h.pages.serveLogout(w, r, o)
	case "/services/oauth2/token":
		h.oauth.serveToken(w, r, o)
	case "/services/oauth2/revoke":
		h.oauth.serveRevoke(w, r, o)
	case "/services/oauth2/introspect":
		h.oauth.serveIntrospect(w, r, o)
	case "/services/oauth2/userinfo":
		h.oauth.serveIdentity(w, r, o)
	case "/services/oauth2/register":
		h.oauth.serveRegister(w, r, o)
	case "/id/keys":
		h.oauth.serveKeys(w, r, o)
	case "/.well-known/openid-configuration":
		h.oauth.serveOpenIDConfiguration(w, r, o)
	case "/":
		render(w, http.StatusOK, "message", messagePage{Title: "Simulated Salesforce", Lines: []string{"Org " + o.Name + " (" + o.ID + ").",
			"Login host, My Domain and MCP gateway of a simulation. Sign-in begins at an MCP client."}})
	default:
		h.serveOther(w, r, o, path)
	}
}

// serveOther serves identity URLs and, on the first org's host, the gateway's discovery
// documents. The root form of authorization-server metadata is missing, as it is on
// every login host.
func (h hosts) serveOther(w http.ResponseWriter, r *http.Request, o *org, path string) {
	gateway := o.prefix == ""
	switch {
	case strings.HasPrefix(path, "/id/"+o.ID+"/"):
		h.oauth.serveIdentity(w, r, o)
	case gateway && (path == resourceMetadataPath || strings.HasPrefix(path, resourceMetadataPath+"/")):
		h.oauth.serveResourceMetadata(w, r, o)
	case gateway && strings.HasPrefix(path, serverMetadataPath+"/"):
		h.oauth.serveServerMetadata(w, r, o)
	default:
		http.NotFound(w, r)
	}
}

// lenient is a path as a careless front server would read it: encoded slashes decoded,
// doubled ones joined, dots resolved, the fixed part in lower case.
func lenient(path string) string {
	decoded, err := url.PathUnescape(path)
	if err != nil {
		return path
	}
	var parts []string
	for part := range strings.SplitSeq(decoded, "/") {
		switch part {
		case "", ".":
		case "..":
			parts = parts[:max(0, len(parts)-1)]
		default:
			parts = append(parts, part)
		}
	}
	if len(parts) > 2 && strings.EqualFold(parts[0], "platform") {
		for i := range 3 {
			parts[i] = strings.ToLower(parts[i])
		}
	}
	return "/" + strings.Join(parts, "/")
}
