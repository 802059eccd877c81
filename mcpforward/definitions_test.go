package mcpforward

import (
	"strings"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/definition"
)

// wantQuarantined checks that a call was refused for its definition.
func (w *world) wantQuarantined(what string, a *answer) {
	w.t.Helper()
	if !a.failed() || !strings.Contains(a.body, "has to accept it before it can be used") {
		w.t.Errorf("%s: not quarantined: %d %s", what, a.status, a.body)
	}
}

// recorded is what is recorded of the hosted server behind a server.
func (w *world) recorded(server string) []definition.Pinned {
	w.t.Helper()
	list, err := w.handler.Definitions.List(w.t.Context(), w.hosted(server))
	if err != nil {
		w.t.Fatal(err)
	}
	return list
}

func (w *world) hosted(server string) definition.Server {
	s := w.handler.Access.Server(server)
	return definition.Server{Org: s.Org, URL: s.URL}
}

// acceptAll accepts whatever waits, as an operator would.
func (w *world) acceptAll(server string) {
	w.t.Helper()
	for _, d := range w.recorded(server) {
		if d.State != definition.Waiting {
			continue
		}
		if err := w.handler.Definitions.Accept(w.t.Context(), d.Server, d.Kind, d.Name, d.Digest, actor.Operator("op", "")); err != nil {
			w.t.Fatal(err)
		}
	}
}
