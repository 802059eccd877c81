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
	sent := f.sent(t)
	r, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// sent is an authorization with which somebody has gone to Salesforce.
func (f *fixture) sent(t *testing.T) *SentRequest {
	t.Helper()
	id, err := f.Requests.Open(t.Context(), authorizeRequest(), "browser")
	if err != nil {
		t.Fatal(err)
	}
	sent, err := f.Requests.Send(t.Context(), id, "browser")
	if err != nil {
		t.Fatal(err)
	}
	return sent
}

// cuts end everything of a user, or of a client.
var cuts = map[string]func(context.Context, *fixture) error{
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
}

// RS-10: what was begun before everything of a user or a client ended gives nothing after it, however far it had got, and whatever
// the clocks show.
func TestRS10BegunBeforeTheCut(t *testing.T) {
	t.Parallel()
	for name, cut := range cuts {
		f := open(t)
		f.tokens(t, testSubject)
		for _, clock := range []time.Duration{0, time.Minute, -time.Minute} {
			sent, r := f.sent(t), f.back(t)
			if err := f.Requests.Stands(t.Context(), r, testSubject); err != nil {
				t.Errorf("%s: before: %v", name, err)
			}
			f.clock.Add(clock) // as on the machine of a command
			err := cut(t.Context(), f)
			f.clock.Add(-clock)
			if err != nil {
				t.Fatal(err)
			}
			if err := f.Requests.Stands(t.Context(), r, testSubject); !errors.Is(err, ErrNoRequest) {
				t.Errorf("%s: it stands: %v", name, err)
			}
			if _, _, err := f.CreateGrant(t.Context(), r, testSubject); !errors.Is(err, ErrNoRequest) {
				t.Errorf("%s: a grant after it: %v", name, err)
			}
			late, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login)
			if err == nil {
				_, _, err = f.CreateGrant(t.Context(), late, testSubject)
			}
			if !errors.Is(err, ErrNoRequest) {
				t.Errorf("%s: back after it: %v", name, err)
			}
			next := f.back(t)
			if err := f.Requests.Stands(t.Context(), next, testSubject); err != nil {
				t.Errorf("%s: begun after it: %v", name, err)
			}
			if _, _, err := f.CreateGrant(t.Context(), next, testSubject); err != nil {
				t.Errorf("%s: begun after it: %v", name, err)
			}
		}
	}
}

// RS-10: who else of the org is at Salesforce while a user is cut off, or has just come back, signs in all the same.
func TestRS10OthersGoOn(t *testing.T) {
	t.Parallel()
	for name, cut := range cuts {
		if name == "client" {
			continue
		}
		f := open(t)
		sent, r := f.sent(t), f.back(t)
		if err := cut(t.Context(), f); err != nil {
			t.Fatal(err)
		}
		late, _, err := f.Requests.Finish(t.Context(), sent.State, sent.Login)
		if err != nil {
			t.Fatalf("%s: back after it: %v", name, err)
		}
		for _, r := range []*AuthorizationRequest{r, late} {
			if err := f.Requests.Stands(t.Context(), r, "005xx000001Sv6DAAS"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if _, _, err := f.CreateGrant(t.Context(), r, "005xx000001Sv6DAAS"); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	}
}

// RS-10: a cut is remembered until nothing that began before it is good for anything, and no longer.
func TestRS10CutsAreForgotten(t *testing.T) {
	t.Parallel()
	f := open(t)
	for _, subject := range []string{testSubject, "005xx000001Sv6DAAS", testSubject} {
		if _, err := f.RevokeUser(t.Context(), testOrg, subject, "cut"); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		after time.Duration
		left  int
	}{{testLifetimes.Consent + finishing, 3}, {2 * time.Hour, 1}} { // the number of the last one stays
		f.clock.Add(step.after)
		if err := f.Sweep(t.Context()); err != nil {
			t.Fatal(err)
		}
		n := 0
		if err := f.db.Reads.QueryRow(`SELECT COUNT(*) FROM epochs WHERE name LIKE 'cut%'`).Scan(&n); err != nil || n != step.left {
			t.Errorf("after %s: %d are left, %v; want %d", step.after, n, err, step.left)
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
	if err := f.Requests.Stands(t.Context(), r, testSubject); err != nil {
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
