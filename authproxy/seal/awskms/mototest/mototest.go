// Package mototest starts moto, a simulated AWS of other people's (KMS, S3, IAM), for tests. Where it
// is not installed the test is skipped; SFMCP_TEST_REQUIRE=python makes it fail.
package mototest

import (
	"bufio"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

var listens = regexp.MustCompile(`http://127\.0\.0\.1:\d+`)

// Start starts moto with more variables of the environment, and returns its URL and what ends it
// before the test does.
func Start(t *testing.T, environ ...string) (address string, stop func()) {
	t.Helper()
	program, err := installed()
	if err != nil {
		if Required() {
			t.Fatal("moto is required and missing: run .ci/python-clients")
		}
		t.Skip("no moto here: run .ci/python-clients")
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, program, "-H", "127.0.0.1", "-p", "0")
	cmd.Env = append(os.Environ(), environ...)
	out, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() { cancel(); _ = cmd.Wait() })
	t.Cleanup(stop)
	for lines := bufio.NewScanner(out); address == "" && lines.Scan(); {
		address = listens.FindString(lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, out) }()
	if address == "" {
		t.Fatal("moto does not say where it listens")
	}
	return address, stop
}

// installed is where .ci/python-clients puts it, below the folder of the module.
func installed() (string, error) {
	dir, err := os.Getwd() // that of the package under test
	for err == nil {
		if _, missing := os.Stat(filepath.Join(dir, "go.mod")); missing == nil || dir == filepath.Dir(dir) {
			break
		}
		dir = filepath.Dir(dir)
	}
	program := filepath.Join(dir, ".ci/cache/python/s3/bin/moto_server")
	if err == nil {
		_, err = os.Stat(program)
	}
	return program, err
}

// Required says whether tests must not be skipped that need it.
func Required() bool {
	return slices.Contains(strings.Split(os.Getenv("SFMCP_TEST_REQUIRE"), ","), "python")
}
