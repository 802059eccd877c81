package publish

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// origin is the name of a log with everything that a name may be hard to spell by.
const origin = "mcp.example.com/audit/a1~b2:ü"

func signed(size int64) Checkpoint {
	text := fmt.Sprintf("%s\n%d\nroot\n\n— %s signature\n", origin, size, origin)
	return Checkpoint{Origin: origin, Size: size, Signed: []byte(text)}
}

// keeps publishes to a place and reads back, twice.
func keeps(t *testing.T, p Place) {
	t.Helper()
	if _, err := p.Latest(t.Context(), signed(0)); !errors.Is(err, ErrNone) {
		t.Errorf("before the first: %v", err)
	}
	for _, size := range []int64{9, 10, 1000} { // by number, not by text
		if err := p.Publish(t.Context(), signed(size)); err != nil {
			t.Fatal(err)
		}
		if got, err := p.Latest(t.Context(), signed(0)); !bytes.Equal(got, signed(size).Signed) || err != nil {
			t.Errorf("read back %q, %v", got, err)
		}
	}
	if _, err := p.Latest(t.Context(), Checkpoint{Origin: "mcp.example.com/audit/other"}); err != nil && !errors.Is(err, ErrNone) {
		t.Errorf("of another log: %v", err)
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for name, path := range map[string]string{"file": filepath.Join(dir, "checkpoint"), "folder": dir + "/"} {
		t.Run(name, func(t *testing.T) { keeps(t, NewFile(path)) })
	}
	history, err := os.ReadFile(filepath.Join(dir, "checkpoint.history"))
	if err != nil || strings.Count(string(history), origin+"\n") != 3 {
		t.Errorf("the history: %v\n%s", err, history)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestFileOfAnotherLog(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoint")
	if err := NewFile(path).Publish(t.Context(), Checkpoint{Origin: "other", Signed: []byte("other\n1\n")}); err != nil {
		t.Fatal(err)
	}
	if err := NewFile(path).Publish(t.Context(), signed(1)); err == nil || !strings.Contains(err.Error(), "another log") {
		t.Errorf("replaced: %v", err)
	}
	if content, err := os.ReadFile(path); string(content) != "other\n1\n" || err != nil {
		t.Errorf("%q %v", content, err)
	}
	acknowledged := signed(1)
	acknowledged.Instead = true
	if err := NewFile(path).Publish(t.Context(), acknowledged); err != nil {
		t.Errorf("a log that a person says comes instead: %v", err)
	}
}

// A mount that is missing is no place without checkpoints, and no folder is made for it.
func TestFileWithoutItsMount(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "mount")
	for _, p := range []Place{NewFile(folder + "/"), NewFile(folder + "/checkpoint")} {
		if err := p.Publish(t.Context(), signed(1)); err == nil {
			t.Error("published without the mount")
		}
		if _, err := p.Latest(t.Context(), signed(0)); err == nil || errors.Is(err, ErrNone) {
			t.Errorf("read without the mount: %v", err)
		}
	}
	if _, err := os.Stat(folder); err == nil {
		t.Error("the folder was made")
	}
}

func TestFileHistoryIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "checkpoint")
	for _, suffix := range []string{".history", ".history.1"} {
		if err := os.WriteFile(path+suffix, make([]byte, maxHistory+1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keeps(t, NewFile(path))
	if state, err := os.Stat(path + ".history"); err != nil || state.Size() > 1000 {
		t.Errorf("%v %v", state, err)
	}
	if err := os.WriteFile(path, make([]byte, maxCheckpoint+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := NewFile(path).Latest(t.Context(), signed(0)); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a file that is too long: %v", err)
	}
}

// shelf is a server that keeps what is put there.
type shelf struct {
	mu     sync.Mutex
	kept   map[string][]byte
	token  string
	status int // what everything is answered with; 0: as it should be
}

func (s *shelf) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	content, ok := s.kept[r.URL.Path]
	switch {
	case s.status != 0:
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(s.status)
		fmt.Fprint(w, "canary: text of somebody else's")
	case r.Header.Get("Authorization") != "Bearer "+s.token:
		w.WriteHeader(http.StatusUnauthorized)
	case r.Method == http.MethodPut:
		s.kept[r.URL.Path], _ = io.ReadAll(r.Body)
		w.WriteHeader(http.StatusCreated)
	case !ok:
		w.WriteHeader(http.StatusNotFound)
	default:
		w.Write(content)
	}
}

func newShelf(t *testing.T) (*shelf, *httptest.Server, *http.Client) {
	s := &shelf{kept: map[string][]byte{}, token: "canary-token"}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	client := server.Client()
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return s, server, client
}

func writeSecret(t *testing.T, secret string) string {
	path := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(path, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestURL(t *testing.T) {
	t.Parallel()
	s, server, client := newShelf(t)
	token := writeSecret(t, "canary-token\n")
	keeps(t, NewURL(URLConfig{URL: server.URL + "/folder/", TokenFile: token, HTTP: client}))
	keeps(t, NewURL(URLConfig{URL: server.URL + "/one", TokenFile: token, HTTP: client}))
	if len(s.kept) != 2 {
		t.Errorf("%d files, want one for each place", len(s.kept))
	}
}

func TestURLTokenIsReadAnew(t *testing.T) {
	t.Parallel()
	s, server, client := newShelf(t)
	path := writeSecret(t, "canary-old")
	p := NewURL(URLConfig{URL: server.URL + "/one", TokenFile: path, HTTP: client})
	if err := p.Publish(t.Context(), signed(1)); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("with the old token: %v", err)
	}
	if err := os.WriteFile(path, []byte(s.token), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := p.Publish(t.Context(), signed(1)); err != nil {
		t.Error(err)
	}
	for _, content := range []string{"", "\n", "a\nb", "a\x00"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.Publish(t.Context(), signed(2)); err == nil {
			t.Errorf("published with the token %q", content)
		}
	}
}

// Whatever a server says, it is no checkpoint, no success, and no part of a message.
func TestURLFailures(t *testing.T) {
	t.Parallel()
	s, server, client := newShelf(t)
	token := writeSecret(t, s.token)
	secret := writeSecret(t, "canary-key")
	for _, p := range []Place{
		NewURL(URLConfig{URL: server.URL + "/one", TokenFile: token, HTTP: client}),
		NewS3(S3Config{Bucket: "audit", Region: "r", Endpoint: server.URL, AccessKeyID: "AKIA", SecretKeyFile: secret, HTTP: client, Now: fixedTime}),
	} {
		for _, status := range []int{301, 302, 307, 308, 400, 401, 403, 409, 429, 500, 503} {
			s.status = status
			for what, err := range map[string]error{"publish": p.Publish(t.Context(), signed(1)), "latest": latestErr(t, p)} {
				if err == nil || errors.Is(err, ErrNone) || !strings.Contains(err.Error(), fmt.Sprint(status)) || strings.Contains(err.Error(), "canary") {
					t.Errorf("%v, %s, %d: %v", p, what, status, err)
				}
			}
		}
	}
	s.status = 0
	long := NewURL(URLConfig{URL: server.URL + "/long", TokenFile: token, HTTP: client})
	s.kept["/long"] = make([]byte, maxCheckpoint+1)
	if err := latestErr(t, long); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("an answer that is too long: %v", err)
	}
	server.Close()
	if err := latestErr(t, long); err == nil || errors.Is(err, ErrNone) || strings.Contains(err.Error(), "canary") {
		t.Errorf("nobody there: %v", err)
	}
}

func latestErr(t *testing.T, p Place) error {
	_, err := p.Latest(t.Context(), signed(0))
	return err
}
