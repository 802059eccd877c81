package reconcile

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Salesforce says which rows of an event log file are compared.
type Salesforce struct {
	// Apps are ids or names of the connected app or External Client App through which the proxy
	// asks; empty: rows of every app.
	Apps []string
	// Types are the event types that are requests to the API.
	Types []string
	// User is the user id of 18 characters.
	User func(id string) string
}

// APITypes are the event types of Salesforce in which a request to its API is a row.
func APITypes() []string {
	return []string{"API", "RestApi", "ApiTotalUsage", "BulkApi", "BulkApi2", "ApexRestApi"}
}

// columns of event log files that this version knows; of the others it says that they are there.
var columns = strings.Fields(`EVENT_TYPE TIMESTAMP TIMESTAMP_DERIVED REQUEST_ID ORGANIZATION_ID USER_ID USER_ID_DERIVED USER_NAME RUN_TIME CPU_TIME URI URI_ID_DERIVED
	SESSION_KEY LOGIN_KEY USER_TYPE REQUEST_STATUS STATUS_CODE DB_TOTAL_TIME DB_BLOCKS DB_CPU_TIME API_TYPE API_VERSION API_FAMILY API_RESOURCE CLIENT_IP CLIENT_NAME SOURCE_IP
	METHOD METHOD_NAME HTTP_METHOD MEDIA_TYPE ENTITY_NAME ENTITY_TYPE ROWS_PROCESSED ROWS_REQUESTED REQUEST_SIZE RESPONSE_SIZE CONNECTED_APP_ID CONNECTED_APP_NAME COUNTS_AGAINST_API_LIMIT
	QUERY QUERIED_ENTITIES USER_AGENT EXCEPTION_MESSAGE EXCEPTION_TYPE NUMBER_FIELDS OPERATION OPERATION_TYPE SUCCESS JOB_ID BATCH_ID`)

// table is an event log file that is being read.
type table struct {
	at map[string]int // by the name of a column
}

func (t table) get(row []string, names ...string) string {
	for _, name := range names {
		if i, known := t.at[name]; known && row[i] != "" {
			return row[i]
		}
	}
	return ""
}

// ReadSalesforce reads an event log file: a line of headings, then one row an event. The columns may
// come in any order; those that are needed and missing are an error that names them.
func ReadSalesforce(r io.Reader, s Salesforce) (f *File, err error) {
	whole := newHashed(r)
	in, err := text(whole)
	if err != nil {
		return nil, err
	}
	guard := &rowGuard{from: in}
	rows := csv.NewReader(guard)
	rows.ReuseRecord = true
	f = &File{}
	t, err := s.headings(rows, guard, f)
	if err != nil {
		return nil, err
	}
	for {
		guard.begin()
		row, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var malformed *csv.ParseError
		switch {
		case errors.As(err, &malformed) && errors.Is(err, csv.ErrFieldCount):
			f.Events++
			f.unreadable(malformed.StartLine, malformed.Err)
			continue
		case err != nil: // where a quote is wrong, nobody knows where the next row begins
			return nil, fmt.Errorf("the rows cannot be read any more: %w", err)
		}
		line, _ := rows.FieldPos(0)
		if f.Events++; f.Events > bounds.events {
			return nil, fmt.Errorf("more than %d rows: compare a shorter time, one file a day", bounds.events)
		}
		if err := s.read(f, t, row, line); err != nil {
			return nil, err
		}
	}
	if f.SHA256, err = whole.digest(); err != nil {
		return nil, err
	}
	return f, nil
}

// headings reads the first line.
func (s Salesforce) headings(rows *csv.Reader, guard *rowGuard, f *File) (t table, err error) {
	guard.begin()
	head, err := rows.Read()
	if errors.Is(err, io.EOF) {
		return t, errors.New("the file is empty: expected an event log file of Salesforce, as EventLogFile.LogFile gives it")
	}
	if err != nil {
		return t, fmt.Errorf("reading the headings: %w", err)
	}
	if len(head) > bounds.columns {
		return t, fmt.Errorf("the file has %d columns: more than %d", len(head), bounds.columns)
	}
	t.at = map[string]int{}
	for i, name := range head {
		name = strings.ToUpper(strings.TrimSpace(name))
		if _, twice := t.at[name]; twice {
			return t, fmt.Errorf("the column %q is there twice", short(name))
		}
		t.at[name] = i
		if !slices.Contains(columns, name) {
			f.UnknownColumns = append(f.UnknownColumns, short(name))
		}
	}
	for _, names := range [][]string{{"EVENT_TYPE"}, {"TIMESTAMP_DERIVED", "TIMESTAMP"}, {"USER_ID_DERIVED", "USER_ID"}} {
		if !slices.ContainsFunc(names, func(name string) bool { _, known := t.at[name]; return known }) {
			return t, fmt.Errorf("the file has no column %s: expected an event log file of Salesforce, as EventLogFile.LogFile gives it", strings.Join(names, " or "))
		}
	}
	if len(s.Apps) > 0 && t.lacks("CONNECTED_APP_ID") && t.lacks("CONNECTED_APP_NAME") {
		return t, errors.New("the file has no column CONNECTED_APP_ID or CONNECTED_APP_NAME, so rows of one app cannot be told: leave the app out, or take another event type")
	}
	return t, nil
}

func (t table) lacks(name string) bool { _, known := t.at[name]; return !known }

// read takes one row in.
func (s Salesforce) read(f *File, t table, row []string, line int) error {
	kind := t.get(row, "EVENT_TYPE")
	if !slices.Contains(s.Types, kind) {
		f.other("type " + short(kind))
		return nil
	}
	at, err := timeOf(t.get(row, "TIMESTAMP_DERIVED", "TIMESTAMP"))
	if err != nil {
		f.unreadable(line, err)
		return nil
	}
	f.saw(at)
	app := t.get(row, "CONNECTED_APP_NAME", "CONNECTED_APP_ID", "CLIENT_NAME")
	if len(s.Apps) > 0 && !slices.ContainsFunc(s.Apps, func(want string) bool {
		return want == t.get(row, "CONNECTED_APP_ID") || strings.EqualFold(want, t.get(row, "CONNECTED_APP_NAME"))
	}) {
		f.other("app " + short(app))
		return nil
	}
	id := t.get(row, "USER_ID_DERIVED", "USER_ID")
	if id == "" {
		f.other("no user")
		return nil
	}
	name := t.get(row, "USER_NAME")
	if name == "" {
		name = id
	}
	about := strings.Join(strings.Fields(strings.Join([]string{kind, t.get(row, "HTTP_METHOD", "METHOD"), t.get(row, "METHOD_NAME", "API_RESOURCE", "URI"), t.get(row, "ENTITY_NAME"), app}, " ")), " ")
	return f.add(Call{At: at, User: short(s.User(id)), Name: short(name), Ref: short(fmt.Sprintf("line %d, request %s", line, t.get(row, "REQUEST_ID"))), About: short(about)})
}

// timeOf reads both forms of a time: 2026-03-01T12:00:00.123Z, and 20260301120000.123, which is UTC.
func timeOf(text string) (time.Time, error) {
	for _, form := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999Z0700", "20060102150405.999", "20060102150405"} {
		if at, err := time.Parse(form, text); err == nil {
			return at.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time", short(text))
}

// rowGuard bounds what one row can make the reader of rows hold.
type rowGuard struct {
	from io.Reader
	left int
}

// begin is before each row. The reader reads ahead by its own buffer.
func (g *rowGuard) begin() { g.left = bounds.line + 4096 }

// Read implements [io.Reader].
func (g *rowGuard) Read(p []byte) (int, error) {
	if g.left <= 0 {
		return 0, fmt.Errorf("a row has more than %d bytes", bounds.line)
	}
	n, err := g.from.Read(p)
	g.left -= n
	return n, err
}
