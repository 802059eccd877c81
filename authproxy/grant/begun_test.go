package grant

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"
)

// back is an authorization with which somebody came back from Salesforce.
func (f *fixture) back(t *testing.T) *AuthorizationRequest {
	t.Helper()
	id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Requests.Send(t.Context(), id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	r, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// RS-10: what was begun before everything of a user or a client ended gives nothing after it, however far it had got.
func TestRS10BegunBeforeTheCut(t *testing.T) {
	t.Parallel()
	for name, cut := range map[string]func(context.Context, *fixture) error{
		"user": func(ctx context.Context, f *fixture) error {
			_, err := f.RevokeUser(ctx, testOrg, testSubject, "cut")
			return err
		},
		"client": func(ctx context.Context, f *fixture) error {
			_, err := f.RevokeClient(ctx, authorizeRequest().ClientID, "cut")
			return err
		},
		"block, lifted at once": func(ctx context.Context, f *fixture) error {
			_, err := f.BlockUser(ctx, testOrg, testSubject, "cut")
			return errors.Join(err, f.UnblockUser(ctx, testOrg, testSubject))
		},
	} {
		f := open(t)
		f.tokens(t, testSubject)
		id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
		if err != nil {
			t.Fatal(err)
		}
		sent, err := f.Requests.Send(t.Context(), id, "browser")
		if err != nil {
			t.Fatal(err)
		}
		r := f.back(t)
		if err := f.Requests.Stands(t.Context(), r); err != nil {
			t.Errorf("%s: before: %v", name, err)
		}
		if err := cut(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		if err := f.Requests.Stands(t.Context(), r); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: it stands: %v", name, err)
		}
		if _, _, err := f.CreateGrant(t.Context(), r, testSubject); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: a grant after it: %v", name, err)
		}
		if _, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login); !errors.Is(err, ErrNoRequest) {
			t.Errorf("%s: back after it: %v", name, err)
		}
		if _, _, err := f.CreateGrant(t.Context(), f.back(t), testSubject); err != nil {
			t.Errorf("%s: begun after it: %v", name, err)
		}
	}
}

// RS-10: somebody who comes back in the last moment of the time for it has the time that is left to be made a
// connection, and what ends their access ends that one too: a sweep does not take the request away before.
func TestRS10BackInTheLastMoment(t *testing.T) {
	t.Parallel()
	f := open(t)
	id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Requests.Send(t.Context(), id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(testLifetimes.Consent - time.Second)
	r, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	f.clock.Add(finishing - time.Second)
	if err := f.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := f.Requests.Stands(t.Context(), r); err != nil {
		t.Errorf("nobody ended it: %v", err)
	}
	if _, _, err := f.CreateGrant(t.Context(), r, testSubject); err != nil {
		t.Errorf("nobody ended it: %v", err)
	}
}

// P6: of a cut and a grant that is being made at that moment, none is left over.
func TestP6CutAndGrantAtATime(t *testing.T) {
	t.Parallel()
	f := open(t)
	for range 8 {
		r := f.back(t)
		var both sync.WaitGroup
		both.Go(func() {
			if _, _, err := f.CreateGrant(t.Context(), r, testSubject); err != nil && !errors.Is(err, ErrNoRequest) {
				t.Error(err)
			}
		})
		both.Go(func() {
			if _, err := f.RevokeUser(t.Context(), testOrg, testSubject, "cut"); err != nil {
				t.Error(err)
			}
		})
		both.Wait()
		f.wantLive(t, testSubject, 0)
	}
}

// AS-05: wrong verifiers do not keep a code that was redeemed from ending its connection.
func TestAS05WrongVerifiersBeforeTheReplay(t *testing.T) {
	t.Parallel()
	f := open(t)
	_, code := f.code(t, testSubject)
	good := redemption(code)
	if _, err := f.Redeem(t.Context(), good); err != nil {
		t.Fatal(err)
	}
	wrong := good
	wrong.Verifier = good.Verifier[1:] + "x"
	for range maxFailures {
		if _, err := f.Redeem(t.Context(), wrong); !errors.Is(err, ErrInvalidGrant) {
			t.Fatal(err)
		}
	}
	if _, err := f.Redeem(t.Context(), good); err == nil {
		t.Fatal("redeemed twice")
	} else if _, ok := errors.AsType[*ReplayError](err); !ok {
		t.Errorf("%v", err)
	}
	f.wantLive(t, testSubject, 0)
}
