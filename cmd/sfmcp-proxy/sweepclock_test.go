package main

import (
	"reflect"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/audit"
	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/db/dbtest/rounds"
)

// FT-32: nothing is deleted by a clock that has jumped since the sweep before, for a day, nor by one that
// differs from the database's, for as long as it does.
func TestFaultFT32NothingIsSweptByAWrongClock(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		step, ahead time.Duration
		known, may  bool
	}{
		"a minute later":                   {step: time.Minute, may: true},
		"130 days ahead":                   {step: 130 * 24 * time.Hour},
		"a day back":                       {step: -24 * time.Hour},
		"as the database's":                {step: time.Minute, ahead: db.ClockBound, known: true, may: true},
		"ahead of the database's":          {step: time.Minute, ahead: db.ClockBound + 1, known: true},
		"behind the database's":            {step: time.Minute, ahead: -db.ClockBound - 1, known: true},
		"not compared with the database's": {step: time.Minute, ahead: time.Hour, may: true},
	} {
		at := time.Now()
		clock := sweepClock{seen: audit.Clock{}}
		if why := clock.distrust(at, 0, true); why != "" {
			t.Errorf("%s: before, %s", name, why)
		}
		if why := clock.distrust(at.Add(c.step), c.ahead, c.known); (why == "") != c.may {
			t.Errorf("%s: %q", name, why)
		}
	}
}

// FT-32: a product whose clock jumps sweeps nothing and says so once, by its log and a metric; after a day it goes on.
func TestFaultFT32SweepsWaitForADay(t *testing.T) {
	t.Parallel()
	p, _ := configured(t, twoOrgs)
	a := p.current.Load()
	at := time.Now()
	a.now = func() time.Time { return at }
	swept := func() bool { // what deletes nothing does not wait
		now := a.sweepersNow(t.Context())
		if len(now) == 0 || reflect.ValueOf(now[0]).Pointer() != reflect.ValueOf(a.settleLeft).Pointer() {
			t.Fatal("how calls ended is not recorded")
		}
		return len(now) > 1 && !a.sweepsWait.Load()
	}
	if !swept() {
		t.Error("a clock that is right is not trusted")
	}
	at = at.Add(130 * 24 * time.Hour)
	for range 24 {
		if swept() {
			t.Fatal("a clock that is months ahead has deleted")
		}
		at = at.Add(time.Hour)
	}
	if !swept() {
		t.Error("a clock that went right for a day is not trusted")
	}
	if _, err := a.audit.Append(t.Context(), audit.Entry{Actor: actor.Proxy, Action: audit.LogResume, Outcome: audit.OK}); err != nil {
		t.Fatal(err)
	}
	const week = 7 * 24 * time.Hour
	for rest, want := range map[time.Duration]bool{-time.Hour: false, 0: true, week - time.Hour: true, week + time.Hour: false} {
		at = time.Now().Add(rest)
		a.sweepClock = sweepClock{seen: audit.ClockOf(t.Context(), a.audit, at)}
		if swept() != want {
			t.Errorf("%v after the last entry of the log, at a start: sweeps %t", rest, !want)
		}
	}
}

// FT-32: the database is asked for its time before the first sweep; nothing is swept while it says another one, or does not
// answer.
func TestFaultFT32FirstSweepAsksTheDatabase(t *testing.T) {
	rounds.Thorough(t)
	t.Parallel()
	p, _ := configured(t, twoOrgs)
	a, url := p.current.Load(), dbtest.Postgres(t)
	own := a.db
	t.Cleanup(func() { a.db = own })
	for off, want := range map[time.Duration]bool{0: true, 5 * time.Minute: false, -5 * time.Minute: false} {
		d, err := db.Open(t.Context(), db.Config{URL: url, Now: func() time.Time { return time.Now().Add(off) }})
		if err != nil {
			t.Fatal(err)
		}
		a.db, a.sweepClock = d, sweepClock{}
		if may := a.maySweep(t.Context()); may != want || a.sweepsWait.Load() == want {
			t.Errorf("%v ahead: sweeps %t", off, may)
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
		if a.sweepClock = (sweepClock{}); a.maySweep(t.Context()) {
			t.Errorf("%v ahead: sweeps though nobody answers", off)
		}
	}
}
