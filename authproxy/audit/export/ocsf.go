package export

import (
	"bytes"
	"cmp"
	"encoding/json"
	"net/netip"

	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/audit/destination"
)

// OCSFVersion is the version of the Open Cybersecurity Schema Framework
// (https://schema.ocsf.io) that events are of. Its classes have all that is used here, and
// later versions of 1.x accept it.
const OCSFVersion = "1.5.0"

// The event of OCSF, as far as it is used. What has no place there is in Unmapped.
type (
	ocsfEvent struct {
		ActivityID   int            `json:"activity_id"`
		ActivityName string         `json:"activity_name"`
		CategoryUID  int            `json:"category_uid"`
		ClassUID     int            `json:"class_uid"`
		TypeUID      int            `json:"type_uid"`
		Time         int64          `json:"time"` // Unix milliseconds
		SeverityID   int            `json:"severity_id"`
		StatusID     int            `json:"status_id"`
		Status       string         `json:"status"`
		StatusCode   string         `json:"status_code,omitempty"`
		StatusDetail string         `json:"status_detail,omitempty"`
		Message      string         `json:"message"`
		Duration     int64          `json:"duration,omitempty"` // milliseconds
		Metadata     ocsfMetadata   `json:"metadata"`
		Actor        ocsfActor      `json:"actor"`
		User         *ocsfUser      `json:"user,omitempty"`
		Privileges   []string       `json:"privileges,omitempty"`
		API          *ocsfAPI       `json:"api,omitempty"`
		Service      *ocsfNamed     `json:"service,omitempty"`
		Source       ocsfEndpoint   `json:"src_endpoint"`
		Resources    []ocsfResource `json:"resources,omitempty"`
		Unmapped     ocsfRest       `json:"unmapped"`
	}
	ocsfMetadata struct {
		Version        string      `json:"version"`
		Product        ocsfProduct `json:"product"`
		UID            string      `json:"uid"` // the key of the entry
		Sequence       int64       `json:"sequence"`
		LogName        string      `json:"log_name"`
		EventCode      string      `json:"event_code"`
		CorrelationUID string      `json:"correlation_uid,omitempty"`
	}
	ocsfProduct struct {
		Name    string `json:"name"`
		Version string `json:"version,omitempty"`
	}
	ocsfActor struct {
		User    *ocsfUser `json:"user,omitempty"`
		AppName string    `json:"app_name,omitempty"`
		AppUID  string    `json:"app_uid,omitempty"`
	}
	ocsfUser struct {
		UID  string     `json:"uid,omitempty"`
		Name string     `json:"name,omitempty"`
		Org  *ocsfNamed `json:"org,omitempty"`
	}
	ocsfNamed struct {
		Name string `json:"name"`
	}
	ocsfAPI struct {
		Operation string     `json:"operation"`
		Service   *ocsfNamed `json:"service,omitempty"`
		Request   *ocsfAsked `json:"request,omitempty"`
	}
	ocsfAsked struct {
		UID string `json:"uid"`
	}
	ocsfEndpoint struct {
		IP   string `json:"ip,omitempty"`
		Name string `json:"name,omitempty"`
	}
	ocsfResource struct {
		Name string `json:"name,omitempty"`
		UID  string `json:"uid,omitempty"`
		Type string `json:"type,omitempty"`
	}
	ocsfRest struct {
		Object          string          `json:"object,omitempty"`
		Class           string          `json:"class,omitempty"`
		Decision        string          `json:"decision,omitempty"`
		Rule            string          `json:"rule,omitempty"`
		PolicyVersion   string          `json:"policy_version,omitempty"`
		DefinitionHash  string          `json:"definition_hash,omitempty"`
		Approval        string          `json:"approval,omitempty"`
		Grant           string          `json:"grant,omitempty"`
		Intent          int64           `json:"intent,omitempty"`
		Bytes           int64           `json:"bytes,omitempty"`
		Rows            *int64          `json:"rows,omitempty"`
		RecordsTotal    int64           `json:"records_total,omitempty"`
		Hidden          int64           `json:"hidden,omitempty"`
		Cut             int64           `json:"cut,omitempty"`
		ArgumentsDigest string          `json:"arguments_digest,omitempty"`
		AnswerDigest    string          `json:"answer_digest,omitempty"`
		Arguments       json.RawMessage `json:"arguments,omitempty"`
		Sent            json.RawMessage `json:"sent,omitempty"`
		Personal        string          `json:"personal,omitempty"`
	}
)

// ocsfSeverities are those of OCSF: Informational, Low, Medium, Critical.
var ocsfSeverities = map[destination.Severity]int{destination.Informational: 1, destination.Notice: 2, destination.Warning: 3, destination.Critical: 5}

// ocsfOther is the id of what OCSF has no word for.
const ocsfOther = 99

// ocsf writes an entry as an event.
func (w Writer) ocsf(e *audit.Entry) ([]byte, error) {
	class := classOf(e)
	event := ocsfEvent{
		ActivityID: class.activity, ActivityName: string(e.Action), CategoryUID: class.uid / 1000, ClassUID: class.uid, TypeUID: class.uid*100 + class.activity,
		Time: e.At.UnixMilli(), SeverityID: ocsfSeverities[severityOf(e)], StatusID: ocsfOther, Status: string(e.Outcome),
		StatusCode: e.Status, StatusDetail: e.Reason, Message: string(e.Action) + " " + string(e.Outcome), Duration: e.DurationMS,
		Metadata: ocsfMetadata{Version: OCSFVersion, Product: ocsfProduct{"sfmcp-proxy", w.Version}, UID: Key(w.Log, e.Seq), Sequence: e.Seq,
			LogName: w.Log, EventCode: string(e.Action), CorrelationUID: e.RequestID},
		Actor: actorOf(e), Source: endpointOf(e.Source), Resources: resourcesOf(e),
		Unmapped: ocsfRest{e.Object, e.Class, string(e.Decision), e.Rule, e.PolicyVersion, e.DefinitionHash, e.Approval, e.Grant, e.IntentSeq, e.Bytes, e.Rows,
			e.RecordsTotal, e.Hidden, e.Cut, e.ArgumentsDigest, e.AnswerDigest, e.Arguments, e.Sent, e.Personal},
	}
	switch e.Outcome {
	case audit.OK, audit.Repeated:
		event.StatusID, event.Status = 1, "Success"
	case audit.Failed, audit.Denied:
		event.StatusID, event.Status = 2, "Failure"
	}
	class.complete(&event, e)
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(&event)
	return audit.Visible(bytes.TrimRight(b.Bytes(), "\n")), err
}

// userOf is whom an entry concerns.
func userOf(e *audit.Entry) *ocsfUser {
	if e.Subject == "" {
		return nil
	}
	return &ocsfUser{UID: e.Subject, Name: e.Username, Org: &ocsfNamed{e.Org}}
}

// actorOf is who acted. What is no user there is an app.
func actorOf(e *audit.Entry) ocsfActor {
	a := ocsfActor{AppUID: e.Client}
	switch issuer, subject, isPerson := e.Actor.PersonOf(); {
	case e.Actor.IsUser() && e.Actor.ID == e.Subject:
		a.User = userOf(e)
	case e.Actor.IsUser():
		a.User = &ocsfUser{UID: e.Actor.ID}
	case isPerson:
		a.User = &ocsfUser{UID: subject, Org: &ocsfNamed{issuer}}
	case e.Actor.IsOperator():
		a.User = &ocsfUser{Name: e.Actor.String()}
	default:
		a.AppName = e.Actor.String()
	}
	return a
}

// endpointOf is where somebody acted from: an address, or words of ours.
func endpointOf(source string) ocsfEndpoint {
	if address, err := netip.ParseAddr(source); err == nil {
		return ocsfEndpoint{IP: address.String()}
	}
	return ocsfEndpoint{Name: cmp.Or(source, "not recorded")}
}

// resourcesOf are what an entry is about: its object, and the records that it names.
func resourcesOf(e *audit.Entry) (all []ocsfResource) {
	if e.Object != "" {
		all = append(all, ocsfResource{Name: e.Object})
	}
	for _, r := range e.Records {
		for _, id := range r.IDs {
			all = append(all, ocsfResource{UID: id, Type: r.Object})
		}
	}
	return all
}
