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
func (s *Sim) ControlHandler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, s.Switches()) })
	mux.HandleFunc("PUT /faults", func(w http.ResponseWriter, r *http.Request) { s.controlSwitches(w, r, Switches{}) })
	mux.HandleFunc("PATCH /faults", func(w http.ResponseWriter, r *http.Request) { s.controlSwitches(w, r, s.Switches()) })
	mux.HandleFunc("GET /requests", s.controlRequests)
	mux.HandleFunc("DELETE /requests", func(w http.ResponseWriter, r *http.Request) {
		s.ForgetRequests(requestFilter(r))
		w.WriteHeader(http.StatusNoContent)
	})
	mux.HandleFunc("GET /users", s.controlUsers)
	mux.HandleFunc("POST /users/{username}/freeze", func(w http.ResponseWriter, r *http.Request) { s.controlFreeze(w, r, true) })
	mux.HandleFunc("POST /users/{username}/unfreeze", func(w http.ResponseWriter, r *http.Request) { s.controlFreeze(w, r, false) })
	mux.HandleFunc("GET /grants", func(w http.ResponseWriter, r *http.Request) { writeJSON(w, http.StatusOK, s.Grants(grantFilter(r))) })
	mux.HandleFunc("POST /grants/revoke", s.controlRevoke)
	mux.HandleFunc("GET /tokens", func(w http.ResponseWriter, r *http.Request) {
		writeJSON(w, http.StatusOK, s.RefreshTokens(grantFilter(r)))
	})
	mux.HandleFunc("POST /keys/rotate", s.controlRotate)
	mux.HandleFunc("GET /records/{sobject}", s.controlRecords)
	mux.HandleFunc("GET /servers", s.controlServers)
	mux.HandleFunc("POST /servers/{namespace}/{name}/activate", func(w http.ResponseWriter, r *http.Request) { s.controlServer(w, r, true) })
	mux.HandleFunc("POST /servers/{namespace}/{name}/deactivate", func(w http.ResponseWriter, r *http.Request) { s.controlServer(w, r, false) })
	mux.HandleFunc("POST /sessions/expire", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]int{"expired": s.ExpireSessions()})
	})
	mux.HandleFunc("GET /clock", s.controlClock)
	mux.HandleFunc("POST /clock", s.controlClock)
	mux.HandleFunc("PUT /callbacks", s.controlCallbacks)
	mux.HandleFunc("POST /reset", func(w http.ResponseWriter, _ *http.Request) {
		s.Reset()
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

func (s *Sim) controlSwitches(w http.ResponseWriter, r *http.Request, switches Switches) {
	if !readControl(w, r, &switches) {
		return
	}
	if err := s.SetSwitches(switches); err != nil {
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

func (s *Sim) controlRequests(w http.ResponseWriter, r *http.Request) {
	requests := s.Requests(requestFilter(r))
	if r.URL.Query().Get("raw") == "" {
		for i := range requests {
			requests[i].RawAuthorization = ""
		}
	}
	writeJSON(w, http.StatusOK, requests)
}

// controlOrg is the org that a request names. It answers the request itself, and returns
// nil, where there is none of that name.
func (s *Sim) controlOrg(w http.ResponseWriter, r *http.Request) *org {
	o := s.org(r.URL.Query().Get("org"))
	if o == nil {
		controlError(w, http.StatusNotFound, "no such org")
	}
	return o
}

func (s *Sim) controlUsers(w http.ResponseWriter, r *http.Request) {
	o := s.controlOrg(w, r)
	if o == nil {
		return
	}
	users := []map[string]any{}
	for _, u := range s.Users(o.Name) {
		users = append(users, map[string]any{"id": u.ID, "username": u.Username, "password": u.Password, "name": u.Name,
			"profile": u.Profile, "frozen": u.Frozen})
	}
	writeJSON(w, http.StatusOK, users)
}

func (s *Sim) controlFreeze(w http.ResponseWriter, r *http.Request, frozen bool) {
	if !s.FreezeUser(r.PathValue("username"), frozen) {
		controlError(w, http.StatusNotFound, "no such user")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func grantFilter(r *http.Request) GrantFilter {
	q := r.URL.Query()
	return GrantFilter{Grant: q.Get("grant"), Username: q.Get("username"), ClientID: q.Get("client_id")}
}

func (s *Sim) controlRevoke(w http.ResponseWriter, r *http.Request) {
	var filter GrantFilter
	if readControl(w, r, &filter) {
		writeJSON(w, http.StatusOK, map[string]int{"revoked": s.RevokeGrants(filter)})
	}
}

func (s *Sim) controlRotate(w http.ResponseWriter, r *http.Request) {
	kid := s.RotateKeys(r.URL.Query().Get("org"))
	if kid == "" {
		controlError(w, http.StatusNotFound, "no such org")
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"kid": kid})
}

func (s *Sim) controlRecords(w http.ResponseWriter, r *http.Request) {
	o := s.controlOrg(w, r)
	if o == nil {
		return
	}
	records := s.Records(o.Name, r.PathValue("sobject"))
	if records == nil {
		records = []map[string]any{}
	}
	writeJSON(w, http.StatusOK, records)
}

func (s *Sim) controlServers(w http.ResponseWriter, r *http.Request) {
	o := s.controlOrg(w, r)
	if o == nil {
		return
	}
	servers := map[string]bool{}
	for _, name := range serverNames() {
		servers[name] = s.activeServer(o, name) != ""
	}
	writeJSON(w, http.StatusOK, servers)
}

func (s *Sim) controlServer(w http.ResponseWriter, r *http.Request, active bool) {
	q := r.URL.Query()
	if !s.SetServer(q.Get("org"), r.PathValue("namespace")+"/"+r.PathValue("name"), active, q.Get("at_once") != "") {
		controlError(w, http.StatusNotFound, "no such org or server")
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (s *Sim) controlClock(w http.ResponseWriter, r *http.Request) {
	clock := struct {
		Skew Duration  `json:"skew"`
		Now  time.Time `json:"now"`
	}{Skew: Duration(s.ClockSkew())}
	if r.Method == http.MethodPost {
		if !readControl(w, r, &clock) {
			return
		}
		s.SetClockSkew(time.Duration(clock.Skew))
	}
	clock.Now = s.now()
	writeJSON(w, http.StatusOK, clock)
}

func (s *Sim) controlCallbacks(w http.ResponseWriter, r *http.Request) {
	var callbacks []string
	if readControl(w, r, &callbacks) {
		s.SetCallbacks(callbacks...)
		w.WriteHeader(http.StatusNoContent)
	}
}
