package main

import (
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
)

// FT-48: what reads the log of a process goes away, as a pipe to a logger does whose program ends. Records are
// dropped and counted; calls are made, and the process drains when it is told to.
func TestFaultFT48TheReaderOfTheLogGoesAway(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dbtest.SQLite(t, dir)
	d, r := prepareServed(t, dir, "")
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	r.process = exec.Command(os.Args[0], "serve", "--config", r.file)
	r.process.Env, r.process.Stderr = append(os.Environ(), runAsProgram+"=1"), writer
	if err := r.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.process.Process.Kill() })
	writer.Close()
	eventually(t, plenty, "the process is ready", r.ready)
	reader.Close()
	c := d.connect("sobject-all", rep)
	if answer := c.call("getUserInfo", map[string]any{}); answer.Status != http.StatusOK {
		t.Errorf("a call: %d %s", answer.Status, answer.body)
	}
	eventually(t, plenty, "records are counted that nobody reads", func() bool {
		n, err := strconv.ParseFloat(metricOf(d, "sfmcp_log_records_dropped_total"), 64)
		return err == nil && n > 0
	})
	r.process.Process.Signal(syscall.SIGTERM)
	if status, _ := ends(t, r.process, plenty); status != exitDone {
		t.Errorf("ended with status %d", status)
	}
}
