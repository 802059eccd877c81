package main

import (
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/db/dbtest/rounds"
	"sfmcp-proxy/authproxy/seal"
	"sfmcp-proxy/config"
)

// keysOf is the key file of a replica.
func keysOf(t *testing.T, r *replica) string {
	t.Helper()
	settings, err := config.Load(r.file, nil)
	if err != nil {
		t.Fatal(err)
	}
	return settings.KeysFile
}

// readiness is what /readyz of a replica says.
func (r *replica) readiness() (status int, text string) {
	resp, err := http.Get("http://" + r.adminL + "/readyz")
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body)
}

// FT-46: three replicas with key files of their own get a new key one after the other, the first long before the others, while
// calls are made. Those that lack it say so, take no traffic and destroy nothing: each call is answered when it is
// repeated, no login and no connection ends, nothing is told as changed by somebody, and once all have the
// key everything is as before.
func TestFaultFT46KeyReachesReplicasOneAfterTheOther(t *testing.T) {
	t.Parallel()
	rounds.Thorough(t)
	c := startCluster(t, 3)
	if _, good := c.client.tryFor(c, userInfo); !good {
		t.Fatal("no call is answered")
	}
	ctx, stop := context.WithCancel(t.Context())
	var load sync.WaitGroup
	own := *c.client
	own.id = 10_000
	load.Go(func() {
		for calls := 0; ctx.Err() == nil; calls++ {
			if _, good := own.tryFor(c, userInfo); !good {
				t.Errorf("call %d: its client was sent away", calls)
				return
			}
		}
	})
	defer load.Wait()
	defer stop()
	if err := seal.RotateKeyFile(keysOf(t, c.replicas[0])); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(keysOf(t, c.replicas[0]))
	if err != nil {
		t.Fatal(err)
	}
	ring, err := seal.LoadKeyRing(keysOf(t, c.replicas[0]))
	if err != nil {
		t.Fatal(err)
	}
	id := ring.IDs()[0]
	c.replicas[0].restart()
	for i, r := range c.replicas[1:] {
		eventually(t, plenty, "the replica says which key it lacks", func() bool {
			status, said := r.readiness()
			return status == http.StatusServiceUnavailable && strings.Contains(said, `lacks key "`+id+`"`)
		})
		d := &demo{t: t}
		d.ConfigFile = r.file
		if said, status := d.command("user", "list"); status != exitFailed || !strings.Contains(said, `lacks key "`+id+`"`) || !strings.Contains(said, "copy the key file from the machine that rotated") {
			t.Errorf("a command on machine %d: %d %s", i+1, status, said)
		}
		r.shows(`sfmcp_not_ready{reason="keys"} 1`)
	}
	c.expire() // whoever calls now has the login renewed
	if _, good := c.client.tryFor(c, userInfo); !good {
		t.Errorf("a login was lost:%s", c.logins())
	}
	time.Sleep(skewed(t)) // as long as the others have the former file
	for i, r := range c.replicas[1:] {
		if err := os.WriteFile(keysOf(t, r), text, 0o600); err != nil {
			t.Fatal(err)
		}
		if i == 0 { // one takes it into use while it runs, the other by a restart
			eventually(t, plenty, "the replica takes the key into use", r.ready)
			continue
		}
		r.process.Process.Signal(syscall.SIGTERM)
		ends(t, r.process, plenty)
		r.start()
	}
	stop()
	load.Wait()
	for range 2 * len(c.replicas) {
		if _, good := c.client.tryFor(c, userInfo); !good {
			t.Errorf("with all keys a call is not answered:%s", c.logins())
		}
	}
	if said := c.logins(); strings.Contains(said, "needs_reauth") || !strings.Contains(said, ": active") {
		t.Errorf("logins:%s", said)
	}
	for i, r := range c.replicas {
		for line := range strings.Lines(r.log.String()) {
			if strings.Contains(line, "was changed by something else than the proxy") || strings.Contains(line, "halted") {
				t.Errorf("replica %d: %s", i, line)
			}
		}
	}
	c.verifyTogether()
}

// skewed is for how long replicas have other key files: long enough for each thing that looks at the database regularly, the roster of
// audit logs among them, only in a long run.
func skewed(t *testing.T) time.Duration {
	if rounds.AreMany(t) {
		return 70 * time.Second
	}
	return 3 * time.Second
}
