package reconcile

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// appLog is the type of the events that are compared.
const appLog = "APP_LOG"

// event is what is read of an event of ChatGPT's compliance logs: one of a request to an app and
// one of its response. Only the response names the tool.
type event struct {
	ID        string `json:"event_id"`
	Type      string `json:"type"`
	Timestamp string `json:"timestamp"`
	Actor     struct {
		UserID string `json:"user_id"`
		Email  string `json:"user_email"`
	} `json:"actor"`
	AppID        string `json:"app_id"`
	AppName      string `json:"app_name"`
	Conversation string `json:"conversation_id"`
	LogType      string `json:"log_type"`
	Output       []struct {
		ActionName string `json:"action_name"`
	} `json:"output"`
}

// OpenAI says which events of ChatGPT's app log are compared.
type OpenAI struct {
	// Apps are the names or ids of the apps that lead here. An app with Salesforce in its name, and a
	// tool that only Salesforce's servers have, count too: that is how one goes round the proxy.
	Apps []string
	// User is the Salesforce user id of an e-mail address, or what else calls are compared by.
	User func(email string) string
}

// ofSalesforce are names of tools that nobody else's servers have: soqlQuery, createSobjectRecord,
// getRelatedRecords, … Others, such as find and search, many have.
var ofSalesforce = regexp.MustCompile(`(?i)sobject|soql|relatedrecord`)

// concerns says whether an event is about a call that should be in our log.
func (o OpenAI) concerns(e *event, tool string) bool {
	if ofSalesforce.MatchString(tool) || strings.Contains(strings.ToLower(e.AppName), "salesforce") {
		return true
	}
	for _, app := range o.Apps {
		if strings.EqualFold(app, e.AppName) || app == e.AppID {
			return true
		}
	}
	return false
}

// toolOf is the tool of a response, without what ChatGPT puts before it.
func toolOf(action string) string {
	if i := strings.LastIndexAny(action, "./"); i >= 0 {
		return action[i+1:]
	}
	return action
}

// ReadOpenAI reads the app log: each response is a call. A request whose response is not in the
// file is counted and not compared, because nothing in it says which tool it was for. An event that
// is there twice, as in two downloads, counts once.
func ReadOpenAI(r io.Reader, o OpenAI) (f *File, err error) {
	whole := newHashed(r)
	in, err := text(whole)
	if err != nil {
		return nil, err
	}
	f = &File{}
	seen := map[string]bool{}
	for line := 1; ; line++ {
		content, err := readLine(in)
		if errors.Is(err, io.EOF) {
			break
		}
		if err == errLong {
			f.Events++
			f.unreadable(line, err)
			continue
		}
		if err != nil {
			return nil, err
		}
		if content = bytes.TrimSpace(content); len(content) == 0 {
			continue
		}
		if f.Events++; f.Events > bounds.events {
			return nil, fmt.Errorf("more than %d events: compare a shorter time, one file a day", bounds.events)
		}
		if err := o.read(f, seen, content, line); err != nil {
			return nil, err
		}
	}
	if f.SHA256, err = whole.digest(); err != nil {
		return nil, err
	}
	return f, nil
}

// read takes one event in.
func (o OpenAI) read(f *File, seen map[string]bool, content []byte, line int) error {
	var e event
	if err := json.Unmarshal(content, &e); err != nil {
		f.unreadable(line, fmt.Errorf("no event: %w", err))
		return nil
	}
	at, err := time.Parse(time.RFC3339Nano, e.Timestamp)
	switch {
	case e.Type != appLog:
		f.other("type " + short(e.Type))
		return nil
	case err != nil:
		f.unreadable(line, fmt.Errorf("timestamp %q is no time", short(e.Timestamp)))
		return nil
	case e.ID != "" && seen[e.ID]:
		f.other("twice in the file")
		return nil
	}
	f.saw(at)
	if e.ID != "" {
		seen[e.ID] = true
	}
	if e.LogType != "response" {
		f.other(short(e.LogType) + " events: only responses name the tool")
		return nil
	}
	if len(e.Output) == 0 {
		f.unreadable(line, errors.New("a response without output names no tool"))
		return nil
	}
	for _, out := range e.Output {
		tool := toolOf(out.ActionName)
		if !o.concerns(&e, tool) {
			f.other("app " + short(e.AppName))
			continue
		}
		name := e.Actor.Email
		if name == "" {
			name = e.Actor.UserID
		}
		if err := f.add(Call{At: at.UTC(), User: short(o.User(strings.ToLower(e.Actor.Email))), Name: short(name), Tool: short(tool), Ref: short("event " + e.ID), About: short("app " + e.AppName)}); err != nil {
			return err
		}
	}
	return nil
}

var errLong = fmt.Errorf("longer than %d bytes", bounds.line)

// readLine reads one line, of any length, and keeps no more of it than a line may have.
func readLine(in *bufio.Reader) (line []byte, err error) {
	long := false
	for {
		part, err := in.ReadSlice('\n')
		if long = long || len(line)+len(part) > bounds.line; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(line) > 0 || long):
		case err != nil:
			return nil, err
		}
		if long {
			return nil, errLong
		}
		return line, nil
	}
}
