package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"sfmcp-proxy/authproxy/audit/logfile"
	"sfmcp-proxy/examples/salesforcesim"
)

// drillProcess are the runbooks of the process itself.
func (d *drill) drillProcess() {
	t := d.t
	d.alert("SfmcpDown", func() {
		d.r.process.Process.Kill()
		d.r.process.Wait()
	}, func() {
		if out, status := d.command("healthcheck"); status != exitFailed {
			t.Errorf("healthcheck of a process that is gone: %d %s", status, out)
		}
		d.must("check")
		d.r.start()
		d.must("healthcheck")
	})

	good := d.configuration()
	hup := func() {
		if err := d.r.process.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	d.alert("SfmcpReloadRefused", func() {
		if err := os.WriteFile(d.ConfigFile, []byte(good+"allowed_tools: [x]\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		hup()
	}, func() {
		d.says("allowed_tools", "check")
		if err := os.WriteFile(d.ConfigFile, []byte(good), 0o600); err != nil {
			t.Fatal(err)
		}
		d.must("check")
		hup()
		d.says("config.reload", "audit", "list", "--action", "config.reload")
	})

	d.alert("SfmcpStopped", func() { d.must("stop", "writes") }, func() {
		d.says("writes", "stop", "status")
		d.says("stop.set", "audit", "list", "--action", "stop.set")
		d.must("stop", "off")
	})
	d.alert("SfmcpStopped", func() {
		if err := os.WriteFile(filepath.Join(d.dir, "STOP"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}, func() {
		d.says("STOP", "stop", "status")
		if err := os.Remove(filepath.Join(d.dir, "STOP")); err != nil {
			t.Fatal(err)
		}
	})
}

// drillSalesforce are those of the way to Salesforce.
func (d *drill) drillSalesforce() {
	t := d.t
	c := d.connect("sobject-reads", rep)
	c.initialize()
	read := func() reply { return c.call("getUserInfo", map[string]any{}) }
	d.alert("SfmcpCircuitOpen", func() {
		d.switches(salesforcesim.Switches{Down: true})
		for range 10 {
			read()
		}
	}, func() {
		if out, status := d.command("doctor"); status != exitFailed {
			t.Errorf("doctor while Salesforce is down: %d\n%s", status, out)
		}
		if _, text := d.private("/metrics"); !strings.Contains(text, `error_type="unavailable"`) {
			t.Error("no error_type unavailable in the metrics")
		}
		d.switches(salesforcesim.Switches{})
		eventually(t, plenty, "a call is answered", func() bool { r := read(); return r.Status == http.StatusOK && !r.Result.IsError })
	})

	d.alert("SfmcpSalesforceSlow", func() {
		d.switches(salesforcesim.Switches{AnswerDelay: salesforcesim.Duration(1200 * time.Millisecond)})
		for range 3 {
			read()
		}
	}, func() {
		d.says(`"duration_ms"`, "audit", "list", "--server", "sobject-reads", "--json")
		d.switches(salesforcesim.Switches{})
		read()
	})

	d.alert("SfmcpLoginsLost", func() {
		d.switches(salesforcesim.Switches{TokenRefusal: "invalid_grant: expired access/refresh token"})
		d.change(`UPDATE links SET access_expires_at = 1`)
		read()
	}, func() {
		d.says("link.lost", "audit", "list", "--action", "link.lost")
		d.command("doctor")
		d.switches(salesforcesim.Switches{})
		d.connect("sobject-all", rep) // signs in
		if r := read(); r.Status != http.StatusOK {
			t.Errorf("a connection from before, after its user signed in once: %d", r.Status)
		}
	})

	d.alert("SfmcpDefinitionsWaiting", func() {
		d.switches(salesforcesim.Switches{Drift: "describe"})
		d.r.restart() // what was listed is remembered for a time
		c.send("tools/list", map[string]any{})
	}, func() {
		out := d.must("tools", "list", "--quarantined")
		m := regexp.MustCompile(`(?m)^(sobject-reads)\s+(\w+)`).FindAllStringSubmatch(out, -1)
		if len(m) == 0 {
			t.Fatalf("nothing waits:\n%s", out)
		}
		for _, tool := range m {
			d.must("tools", "diff", tool[1], tool[2])
			d.must("tools", "accept", tool[1], tool[2])
		}
		c.send("tools/list", map[string]any{})
	})
	d.switches(salesforcesim.Switches{})
}

// drillPeople are those of what people did.
func (d *drill) drillPeople() {
	t := d.t
	c, b := d.connect("sobject-all", rep), d.browser()
	d.alert("SfmcpOutcomeUnknown", func() {
		page := d.approvalURL(c.call("createSobjectRecord", account("Unknown Ltd")))
		d.decide(b, page, rep, "approve")
		d.switches(salesforcesim.Switches{DroppedConnections: 1})
		c.call("createSobjectRecord", account("Unknown Ltd"))
	}, func() {
		out := d.says("createSobjectR", "audit", "list", "--outcome", "outcome_unknown")
		number := regexp.MustCompile(`(?m)^\d\d-\d\d \S+ +(\d+) `).FindStringSubmatch(out)
		if number == nil {
			t.Fatalf("no number in\n%s", out)
		}
		shown := d.must("audit", "show", number[1])
		approval := regexp.MustCompile(`apr_[a-z0-9]+`).FindString(shown)
		d.must("approval", "resolve", approval, "--as", "drill", "--happened", "yes", "--reason", "the record is there")
	})

	d.alert("SfmcpBudgetNearlyUsed", func() {
		for range 38 {
			c.call("getUserInfo", map[string]any{})
		}
	}, func() {
		d.says("calls", "budget", "list")
		d.says("getUserInfo", "audit", "list", "--user", rep)
		// Only the next window ends it; that time passes here.
		d.change(`UPDATE budget_counts SET ends_at = 1`)
	})

	other := d.connect("sobject-all", manager)
	d.alert("SfmcpTampered", func() {
		other.call("createSobjectRecord", account("Forged Ltd"))
		d.change(`UPDATE approvals SET state = 'approved', decided_at = created_at, decided_by_kind = 'user', decided_by_id = 'boss' WHERE state = 'pending'`)
		other.call("createSobjectRecord", account("Forged Ltd"))
	}, func() {
		d.says("store.tamper", "audit", "list", "--action", "store.tamper")
		d.must("audit", "list", "--action", "grant.replay")
		d.must("user", "revoke", manager)
	})
}

// drillStores are those of database, log and what leaves the machine.
func (d *drill) drillStores() {
	t := d.t
	d.alert("SfmcpDatabaseDown", func() { d.network.Down() }, func() {
		if status, text := d.private("/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("/readyz: %d %s", status, text)
		}
		if !strings.Contains(d.r.log.String(), "database") {
			t.Error("the log does not say database")
		}
		d.network.Heal()
		eventually(t, plenty, "it is ready", d.r.ready)
	})

	d.alert("SfmcpNotReady", func() { d.network.Down() }, func() {
		if status, text := d.private("/readyz"); status != http.StatusServiceUnavailable {
			t.Errorf("/readyz: %d %s", status, text)
		}
		d.network.Heal()
		eventually(t, plenty, "it is ready", d.r.ready)
	})

	// The destination of exports has not been there from the beginning.
	d.alert("SfmcpEvidenceBehind", func() {}, func() {
		d.says("collector", "export", "status")
		listener, err := net.Listen("tcp", d.sink)
		if err != nil {
			t.Fatal(err)
		}
		receiver := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(http.StatusNoContent) })}
		go receiver.Serve(listener)
		t.Cleanup(func() { receiver.Close() })
		d.must("export", "test", "collector")
	})

	c := d.connect("sobject-reads", rep)
	d.alert("SfmcpAuditLogStopped", func() {
		// As if an earlier copy of the log were put back under the running proxy.
		path := filepath.Join(d.dir, "audit", logfile.SegmentName(1))
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(path, int64(bytes.LastIndex(text, []byte(`{"seq":`))/2)); err != nil {
			t.Fatal(err)
		}
		c.call("getUserInfo", map[string]any{}) // refused, or it is the next one
	}, func() {
		if r := c.call("getUserInfo", map[string]any{}); r.Status == http.StatusOK && !r.Result.IsError {
			t.Error("a call was made without the log")
		}
		if out, status := d.command("audit", "verify"); status != exitFailed {
			t.Errorf("verify: %d %s", status, out)
		}
		if err := os.CopyFS(t.TempDir(), os.DirFS(filepath.Join(d.dir, "audit"))); err != nil {
			t.Fatal(err)
		}
		d.r.process.Process.Signal(syscall.SIGTERM)
		ends(t, d.r.process, plenty)
		d.must("audit", "acknowledge")
		d.r.start()
		d.must("audit", "verify")
	})
	d.drillClock()
	d.drillReplica()
}

// drillClock is that of the clock. Nobody can set the one of this machine, so the database says another time, by a function that
// new connections find before its own.
func (d *drill) drillClock() {
	set := func(ahead string) {
		d.t.Helper()
		if _, err := d.store.Writes.Exec(`
			CREATE OR REPLACE FUNCTION clock_timestamp() RETURNS timestamptz LANGUAGE sql AS $f$ SELECT pg_catalog.clock_timestamp() + interval '` + ahead + `' $f$;
			DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = %I, pg_catalog', current_database(), current_schema()); END $$`); err != nil {
			d.t.Fatal(err)
		}
	}
	d.alert("SfmcpClockDiffers", func() {
		set("5 minutes")
		d.network.Down()
		d.network.Heal()
	}, func() {
		d.says("behind the database's", "doctor")
		set("0 minutes")
		d.must("audit", "list", "--action", "grant.replay")
	})
}

// drillReplica is that of a replica that went away. Its log is made by a command, as on another machine, and was heard
// of long ago.
func (d *drill) drillReplica() {
	t, other := d.t, &demo{t: d.t}
	other.ConfigFile = filepath.Join(d.dir, "other.yaml")
	if err := os.WriteFile(other.ConfigFile, []byte(strings.Replace(d.configuration(), "\naudit: {dir: audit}", "\naudit: {dir: other}", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	d.alert("SfmcpReplicaSilent", func() {
		if out, status := other.command("audit", "export"); status != exitFailed || !strings.Contains(out, "removed or exchanged") {
			t.Fatalf("a log beside the checkpoints of another: status %d, %s", status, out)
		}
		d.change(`UPDATE audit_logs SET heard_at = 1 WHERE joined_at = (SELECT MAX(joined_at) FROM audit_logs)`)
		d.r.restart() // it looks as it starts
	}, func() {
		d.says("1970-01-01", "audit", "log", "list")
		var origin string
		if err := d.store.Reads.QueryRow(`SELECT origin FROM audit_logs WHERE heard_at = 1`).Scan(&origin); err != nil {
			t.Fatal(err)
		}
		d.must("audit", "log", "close", origin, "--reason", "taken out of service")
		d.r.restart()
	})
}

// drillCertificate is that of the certificate, on a proxy that ends TLS itself.
func (d *drill) drillCertificate() {
	t, dir := d.t, d.dir
	write := func(until time.Time) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(until.Unix()), NotBefore: time.Now().Add(-time.Hour), NotAfter: until, DNSNames: []string{"localhost"}}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
		if err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	}
	d.alert("SfmcpCertificateEnds", func() {
		write(time.Now().Add(5 * 24 * time.Hour))
		if err := os.WriteFile(d.ConfigFile, []byte(strings.Replace(d.configuration(), "\naudit:", "\ntls: {cert_file: cert.pem, key_file: key.pem}\naudit:", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		d.r.restart()
	}, func() { write(time.Now().Add(90 * 24 * time.Hour)) })
}
