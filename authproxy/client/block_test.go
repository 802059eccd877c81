package client

import (
	"errors"
	"testing"

	"sfmcp-proxy/authproxy/db"
)

// storeToBlock has two clients of the configuration.
func storeToBlock(t *testing.T) *Store {
	t.Helper()
	c := config(t)
	c.Clients = []Client{{ID: "chatgpt", Name: "ChatGPT", RedirectURIs: []string{testRedirect}}, {ID: "other", Name: "Other", RedirectURIs: []string{testRedirect}}}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// S7, AD-11: a client that is blocked begins nothing and goes on with nothing, whatever it is; a list
// that somebody removed lets nobody begin, and what goes on goes on.
func TestS7BlockedClient(t *testing.T) {
	t.Parallel()
	s, ctx := storeToBlock(t), t.Context()
	for _, id := range []string{"chatgpt", "unheard-of"} {
		if err := s.Unblock(ctx, id); !errors.Is(err, ErrNotBlocked) {
			t.Errorf("%s, unblocked first: %v", id, err)
		}
		for range 2 {
			if err := s.Block(ctx, id); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, ask := range map[string]func() error{
		"begins":  func() error { _, err := s.Current(ctx, "chatgpt"); return err },
		"goes on": func() error { _, err := s.LastKnown(ctx, "chatgpt"); return err },
	} {
		if err := ask(); !errors.Is(err, ErrBlocked) || !errors.Is(err, ErrUnknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Current(ctx, "other"); err != nil {
		t.Errorf("another one: %v", err)
	}
	if blocked, err := s.Blocked(ctx); err != nil || len(blocked) != 2 || !blocked["chatgpt"] || !blocked["unheard-of"] {
		t.Errorf("blocked: %v, %v", blocked, err)
	}
	if err := s.Unblock(ctx, "chatgpt"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Current(ctx, "chatgpt"); err != nil {
		t.Errorf("after it was unblocked: %v", err)
	}
	for _, id := range []string{"", "a b", "é"} {
		if err := s.Block(ctx, id); err == nil {
			t.Errorf("%q was blocked", id)
		}
	}

	if _, err := s.db.Writes.ExecContext(ctx, `DELETE FROM meta WHERE name = 'blocked'`); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Current(ctx, "other"); !errors.Is(err, ErrBlocked) {
		t.Errorf("without the list, one that begins: %v", err)
	}
	if _, err := s.LastKnown(ctx, "other"); err != nil {
		t.Errorf("without the list, one that goes on: %v", err)
	}
	if _, err := s.Blocked(ctx); !errors.Is(err, db.ErrBlockedLost) {
		t.Errorf("without the list: %v", err)
	}
	if err := s.Block(ctx, "chatgpt"); err != nil { // it begins anew
		t.Fatal(err)
	}
	if _, err := s.Current(ctx, "other"); err != nil {
		t.Errorf("after it began anew: %v", err)
	}
}

// A list has its end, which says what else keeps programs out.
func TestBlockedClientsAreBounded(t *testing.T) {
	t.Parallel()
	s := storeToBlock(t)
	full := db.Blocked{{Org: "acme", Subject: "005"}: true}
	for i := range maxBlocked {
		full[db.ClientKey(string(rune('a'+i%26))+string(rune('a'+i/26%26))+string(rune('a'+i/676)))] = true
	}
	tx, err := s.db.Writes.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(s.db.WriteBlocked(t.Context(), tx, full), tx.Commit()); err != nil {
		t.Fatal(err)
	}
	if err := s.Block(t.Context(), "one-more"); err == nil {
		t.Error("one more was blocked")
	}
	if err := s.Block(t.Context(), "aaa"); err != nil {
		t.Errorf("one that is blocked already: %v", err)
	}
}
