package link_test

import (
	"database/sql"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db"
	"sfmcp-proxy/authproxy/db/dbtest"
	"sfmcp-proxy/authproxy/link"
)

// cutReplicas is how many stores on one PostgreSQL stand for replicas here, each with its own network to it.
const cutReplicas = 3

// longestCut is how long a network is away at most: less than a lease, so that no replica can take another one for
// dead that has an answer and cannot store it.
const longestCut = 1500 * time.Millisecond

// BenchmarkRotationsCut is [BenchmarkRotations] on PostgreSQL, by the clock, with three replicas of which again and
// again one cannot reach the database: nothing passes and nobody is told, or its connections end and no new one
// comes about. It fails if a login is lost but by an answer that was lost.
//
//	go test ./authproxy/link -run '^$' -bench RotationsCut -benchtime 100000x -timeout 2h
//
// For each login that is lost otherwise it prints what the replicas did with it, and when they were cut off.
func BenchmarkRotationsCut(b *testing.B) {
	l, dir, database := newLossy(b, min(rotatingUsers, b.N), nil), b.TempDir(), dbtest.Postgres(b)
	direct, err := db.Open(b.Context(), db.Config{URL: database})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { direct.Close() })
	var replicas []*link.Store
	c := &cuts{trace: l.trace, end: make(chan struct{})}
	for range cutReplicas {
		network := dbtest.Between(b, database)
		c.networks = append(c.networks, network)
		replicas = append(replicas, l.replica(b, dir, network.URL(database)))
	}
	for _, u := range l.users {
		l.signIn(b, replicas[0], u)
	}
	b.ResetTimer()
	begin := time.Now()
	c.begin()
	for round := 0; l.rotations() < b.N; round++ {
		err := direct.Tx(b.Context(), func(tx *sql.Tx) error {
			if _, err := tx.Exec(`UPDATE links SET access_expires_at = 1, lease_until = CASE lease_holder WHEN '' THEN 0 ELSE lease_until END`); err != nil { // every token has expired, every pause is over
				return err
			}
			return direct.RaiseAccessEpoch(b.Context(), tx)
		})
		if err != nil {
			b.Fatal(err)
		}
		var callers sync.WaitGroup
		for i, u := range l.users {
			for replica := range 1 + (i+round)%10/9 { // of one in ten, two replicas find out at once
				s := replicas[(i+round+replica)%len(replicas)]
				callers.Go(func() { l.call(b, s, u) })
			}
		}
		callers.Wait()
		for _, u := range l.lostNow() {
			c.calmly(func() { l.signIn(b, replicas[0], u) })
		}
	}
	took := time.Since(begin)
	b.StopTimer()
	c.over()
	for _, s := range replicas {
		if err := s.Close(b.Context()); err != nil {
			b.Error(err)
		}
	}
	b.Logf("a replica could not reach the database %d times, %d of them without being told", c.silent+c.told, c.silent)
	l.settle(b, replicas[0], cutReplicas, took)
}

// cuts take the database away from one replica after the other.
type cuts struct {
	*trace
	networks     []*dbtest.Network
	silent, told int

	mu   sync.Mutex // held while a network is away
	end  chan struct{}
	done sync.WaitGroup
}

// begin cuts until over.
func (c *cuts) begin() {
	moments := rand.New(rand.NewPCG(1, 2))
	c.done.Go(func() {
		for {
			select {
			case <-c.end:
				return
			case <-time.After(time.Duration(moments.IntN(1000)) * time.Millisecond): // the moment
			}
			c.mu.Lock()
			which := moments.IntN(len(c.networks))
			network := c.networks[which]
			if moments.IntN(2) == 0 {
				c.silent++
				c.note("", "replica %d: silence", which)
				network.Cut()
			} else {
				c.told++
				c.note("", "replica %d: connections end", which)
				network.Down()
			}
			time.Sleep(time.Duration(moments.Int64N(int64(longestCut)))) // how long it is away
			network.Heal()
			c.note("", "replica %d: has its database", which)
			c.mu.Unlock()
		}
	})
}

// calmly does something while all networks are there.
func (c *cuts) calmly(do func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	do()
}

func (c *cuts) over() {
	close(c.end)
	c.done.Wait()
}
