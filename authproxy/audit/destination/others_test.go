package destination

import (
	"crypto/md5"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/seal/awskms/mototest"
)

// python is a program of one of the environments that .ci/python-clients makes.
func python(t *testing.T, name string) string {
	t.Helper()
	program, err := filepath.Abs(filepath.Join("../../../.ci/cache/python", name))
	if err == nil {
		_, err = os.Stat(program)
	}
	if err != nil {
		if required("python") {
			t.Fatalf("%s is required and missing: run .ci/python-clients", name)
		}
		t.Skipf("no %s here: run .ci/python-clients", name)
	}
	return program
}

// What is sent to a collector is an ExportLogsServiceRequest for OpenTelemetry's own messages, without a
// member that they do not have.
func TestOTLPByOpenTelemetry(t *testing.T) {
	t.Parallel()
	program := python(t, "export/bin/python")
	var sent string
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		sent = string(body)
	}))
	defer server.Close()
	b := batch(1, 2)
	if err := NewOTLP(OTLPConfig{URL: server.URL, Version: "1.2.3", Client: testClient()}).Send(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	read := exec.Command(program, "-c", `
import sys
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
request = json_format.Parse(sys.stdin.read(), ExportLogsServiceRequest())
for r in request.resource_logs:
    print({a.key: a.value.string_value for a in r.resource.attributes})
    for log in r.scope_logs[0].log_records:
        print(log.time_unix_nano, log.severity_number, log.event_name, {a.key: a.value.string_value for a in log.attributes}, log.body.string_value)
`)
	read.Stdin = strings.NewReader(sent)
	out, err := read.CombinedOutput()
	want := "{'service.name': 'sfmcp-proxy', 'service.version': '1.2.3', 'service.instance.id': '" + testLog + "'}\n"
	for _, r := range b.Records {
		want += "1772366400123000000 10 tool.call {'log.record.uid': '" + r.Key + "'} " + string(r.Text) + "\n"
	}
	if err != nil || string(out) != want {
		t.Errorf("%v\n%s\nwant %s", err, out, want)
	}
}

// A bucket of other people's server has each batch under its name; one that is sent again takes its own
// place.
func TestBucketOfMoto(t *testing.T) {
	t.Parallel()
	address, _ := mototest.Start(t)
	do := func(method, path string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, address+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil || res.StatusCode != http.StatusOK {
			t.Fatalf("%s %s: %d, %s, %v", method, path, res.StatusCode, body, err)
		}
		return string(body)
	}
	do(http.MethodPut, "/logs")
	d := NewS3(publish.S3Config{Bucket: "logs", Region: "us-east-1", Endpoint: address, Prefix: "p", AccessKeyID: "AKIA", SecretKeyFile: secretFile(t, "secret"),
		HTTP: http.DefaultClient, Now: time.Now})
	for _, b := range []*Batch{batch(1, 2), batch(1, 2), batch(3)} {
		if err := d.Send(t.Context(), b); err != nil {
			t.Fatal(err)
		}
	}
	keys := regexp.MustCompile(`<Key>([^<]+)</Key>.*?<ETag>&quot;([0-9a-f]+)&quot;`).FindAllStringSubmatch(strings.ReplaceAll(do(http.MethodGet, "/logs?list-type=2"), `"`, "&quot;"), -1)
	folder := "p/" + strings.ReplaceAll(testLog, "/", "_") + "/"
	if len(keys) != 2 {
		t.Fatalf("%q", keys)
	}
	if keys[0][1] != folder+"00000000000000000001-00000000000000000002.jsonl" || keys[1][1] != folder+"00000000000000000003-00000000000000000003.jsonl" {
		t.Errorf("%q", keys)
	}
	if sum := md5.Sum([]byte(strings.Join(batch(1, 2).texts(), "\n") + "\n")); keys[0][2] != hex.EncodeToString(sum[:]) { // which S3 names objects' contents by
		t.Errorf("%q", keys)
	}
}
