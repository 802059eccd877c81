package salesforcesim

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"time"
)

// ControlHandler serves the control API that the package documentation describes. It
// has no authentication: keep it on a loopback address. Requests that a browser sends
// from another site are refused.
func (s *Sim) ControlHandler() http.Handler { return controlAPI{s}.handler() }

// controlAPI answers the control API: what a test or an operator asks of the simulator
// itself, and no Salesforce has.
type controlAPI struct{ sim *Sim }

func (c controlAPI) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, c.sim.Switches()) })
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) { c.switches(w, r, Switches{}) })
	mux.HandleFunc("PATCH /faults", func(w http.ResponseWriter, r *http.Request) { c.switches(w, r, c.sim.Switches()) })
	mux.HandleFunc("PUT /definitions", c.definitions)
	mux.HandleFunc("GET /requests", c.requests)
	mux.HandleFunc("DELETE /requests", func(w http.ResponseWriter, r *http.Request) {
		c.sim.ForgetRequests(requestFilter(r))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /users", c.users)
	mux.HandleFunc("POST /users/{username}/freeze", func(w http.ResponseWriter, r *http.Request) { c.freeze(w, r, true) })
	mux.HandleFunc("POST /users/{username}/unfreeze", func(w http.ResponseWriter, r *http.Request) { c.freeze(w, r, false) })
	mux.HandleFunc("GET /grants", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, c.sim.Grants(grantFilter(r)))
	})
	mux.HandleFunc("POST /grants/revoke", c.revoke)
	mux.HandleFunc("GET /tokens", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, c.sim.RefreshTokens(grantFilter(r)))
	})
	mux.HandleFunc("POST /keys/rotate", c.rotate)
	mux.HandleFunc("GET /records/{sobject}", c.records)
	mux.HandleFunc("GET /servers", c.servers)
	mux.HandleFunc("POST /servers/{namespace}/{name}/activate", func(w http.ResponseWriter, r *http.Request) { c.server(w, r, true) })
	mux.HandleFunc("POST /servers/{namespace}/{name}/deactivate", func(w http.ResponseWriter, r *http.Request) { c.server(w, r, false) })
	mux.HandleFunc("POST /sessions/expire", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]int{"expired": c.sim.ExpireSessions()})
	})
	mux.HandleFunc("GET /clock", c.clock)
	mux.HandleFunc("POST /clock", c.clock)
	mux.HandleFunc("PUT /callbacks", c.callbacks)
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		c.sim.Reset()
		w.WriteHeader(http.StatusNoContent)
	})
	return http.NewCrossOriginProtection().Handler(mux)
}

// controlError is the body of every refusal.
func controlError(w http.ResponseWriter, status int, message string) {
	writeJSON(w, status, map[string]string{"error": message})
}

// readControl reads a body strictly; an empty one leaves into as it is.
func readControl(w http.ResponseWriter, r *http.Request, into any) bool {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20))
	decoder.DisallowUnknownFields()
	err := decoder.Decode(into)
	if err == io.EOF {
		return true
	}
	if _, end := decoder.Token(); err == nil && end != io.EOF {
		err = errors.New("something follows the JSON value")
	}
	if err != nil {
		controlError(w, http.StatusBadRequest, err.Error())
		return false
	}
	return true
}

func (c controlAPI) switches(w http.ResponseWriter, r *http.Request, switches Switches) {
	if !readControl(w, r, &switches) {
		return
	}
	if err := c.sim.SetSwitches(switches); err != nil {
		controlError(w, http.StatusBadRequest, err.Error())
		return
	}
	writeJSON(w, http.StatusOK, switches)
}

func requestFilter(r *http.Request) RequestFilter {
	q := r.URL.Query()
	after, _ := strconv.ParseInt(q.Get("after"), 10, 64)
	return RequestFilter{Path: q.Get("path"), Method: q.Get("method"), RPC: q.Get("rpc"), Tool: q.Get("tool"), After: after}
}

func (c controlAPI) requests(w http.ResponseWriter, r *http.Request) {
	requests := c.sim.Requests(requestFilter(r))
	if r.URL.Query().Get("raw") == "" {
		for i := range requests {
			requests[i].RawAuthorization = ""
		}
	}
	writeJSON(w, http.StatusOK, requests)
}

// org is the org that a request names. It answers the request itself, and returns
// nil, where there is none of that name.
func (c controlAPI) org(w http.ResponseWriter, r *http.Request) *org {
	o := c.sim.org(r.URL.Query().Get("org"))
	if o == nil {
		controlError(w, http.StatusNotFound, "no such org")
	}
	return o
}

func (c controlAPI) users(w http.ResponseWriter, r *http.Request) {
	o := c.org(w, r)
	if o == nil {
		return
	}
	users := []map[string]any{}
	for _, u := range c.sim.Users(o.Name) {
		users = append(users, map[string]any{"id": u.ID, "username": u.Username, "password": u.Password, "name": u.Name,
			"profile": u.Profile, "frozen": u.Frozen})
	}
	writeJSON(w, http.StatusOK, users)
}

func (c controlAPI) freeze(w http.ResponseWriter, r *http.Request, frozen bool) {
	if !c.sim.FreezeUser(r.PathValue("username"), frozen) {
		controlError(w, http.StatusNotFound, "no such user")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func grantFilter(r *http.Request) GrantFilter {
	q := r.URL.Query()
	return GrantFilter{Grant: q.Get("grant"), Username: q.Get("username"), ClientID: q.Get("client_id")}
}

func (c controlAPI) revoke(w http.ResponseWriter, r *http.Request) {
	var filter GrantFilter
	if readControl(w, r, &filter) {
		writeJSON(w, http.StatusOK, map[string]int{"revoked": c.sim.RevokeGrants(filter)})
	}
}

func (c controlAPI) rotate(w http.ResponseWriter, r *http.Request) {
	kid := c.sim.RotateKeys(r.URL.Query().Get("org"))
	if kid == "" {
		controlError(w, http.StatusNotFound, "no such org")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"kid": kid})
}

func (c controlAPI) records(w http.ResponseWriter, r *http.Request) {
	o := c.org(w, r)
	if o == nil {
		return
	}
	records := c.sim.Records(o.Name, r.PathValue("sobject"))
	if records == nil {
		records = []map[string]any{}
	}
	writeJSON(w, http.StatusOK, records)
}

func (c controlAPI) servers(w http.ResponseWriter, r *http.Request) {
	o := c.org(w, r)
	if o == nil {
		return
	}
	servers := map[string]bool{}
	for _, name := range serverNames() {
		servers[name] = c.sim.gateway.activeServer(o, name) != ""
	}
	writeJSON(w, http.StatusOK, servers)
}

func (c controlAPI) server(w http.ResponseWriter, r *http.Request, active bool) {
	q := r.URL.Query()
	if !c.sim.SetServer(q.Get("org"), r.PathValue("namespace")+"/"+r.PathValue("name"), active, q.Get("at_once") != "") {
		controlError(w, http.StatusNotFound, "no such org or server")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (c controlAPI) clock(w http.ResponseWriter, r *http.Request) {
	clock := struct {
		Skew Duration  `json:"skew"`
		Now  time.Time `json:"now"`
	}{Skew: Duration(c.sim.ClockSkew())}
	if r.Method == http.MethodPost {
		if !readControl(w, r, &clock) {
			return
		}
		c.sim.SetClockSkew(time.Duration(clock.Skew))
	}
	clock.Now = c.sim.now()
	writeJSON(w, http.StatusOK, clock)
}

func (c controlAPI) callbacks(w http.ResponseWriter, r *http.Request) {
	var callbacks []string
	if readControl(w, r, &callbacks) {
		c.sim.SetCallbacks(callbacks...)
		w.WriteHeader(http.StatusNoContent)
	}
}
