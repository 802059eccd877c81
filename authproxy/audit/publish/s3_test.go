package publish

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy/seal/awskms/mototest"
)

func fixedTime() time.Time { return time.Date(2013, 5, 24, 0, 0, 0, 0, time.UTC) }

// The examples of "Signature Calculations for the Authorization Header: Transferring Payload
// in a Single Chunk" in the S3 reference.
func TestSignatureOfTheReference(t *testing.T) {
	t.Parallel()
	key := awsKey{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "us-east-1"}
	for _, tt := range []struct{ method, url, header, body, want string }{
		{"GET", "/test.txt", "Range: bytes=0-9", "", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"},
		{"PUT", "/test$file.text", "Date: Fri, 24 May 2013 00:00:00 GMT\nX-Amz-Storage-Class: REDUCED_REDUNDANCY", "Welcome to Amazon S3.", "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"},
		{"GET", "/?lifecycle", "", "", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"},
		{"GET", "/?max-keys=2&prefix=J", "", "", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"},
	} {
		r, err := http.NewRequest(tt.method, "https://examplebucket.s3.amazonaws.com"+tt.url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(tt.header, "\n") {
			if name, value, ok := strings.Cut(line, ": "); ok {
				r.Header.Set(name, value)
			}
		}
		key.sign(r, []byte(tt.body), fixedTime())
		if got := r.Header.Get("Authorization"); !strings.HasSuffix(got, ",Signature="+tt.want) {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.url, got, tt.want)
		}
	}
}

// versions answers with lists of versions, and with the content of each.
type versions struct{ pages []string }

func (v versions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Query().Has("versions") {
		page := 0
		fmt.Sscan(r.URL.Query().Get("key-marker"), &page)
		fmt.Fprint(w, v.pages[page%len(v.pages)])
		return
	}
	fmt.Fprint(w, r.URL.Path+" "+r.URL.Query().Get("versionId"))
}

func TestNewestVersion(t *testing.T) {
	t.Parallel()
	folder := "p/" + fileName(origin) + "/"
	item := func(kind, key, id string) string {
		return "<" + kind + "><Key>" + key + "</Key><VersionId>" + id + "</VersionId></" + kind + ">"
	}
	list := func(truncated bool, next string, items ...string) string {
		return fmt.Sprintf(`<ListVersionsResult><IsTruncated>%v</IsTruncated><NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>x</NextVersionIdMarker>%s</ListVersionsResult>`, truncated, next, strings.Join(items, ""))
	}
	for name, tt := range map[string]struct {
		pages []string
		want  string // the object and its version, or what the error says
	}{
		"none":                       {[]string{list(false, "")}, ErrNone.Error()},
		"one, without versions":      {[]string{list(false, "", item("Version", folder+"1-2", "null"))}, "/audit/" + folder + "1-2 "},
		"the first":                  {[]string{list(false, "", item("Version", folder+"1-2", "v"), item("Version", folder+"2-1", "w"))}, "/audit/" + folder + "1-2 v"},
		"deleted, its content there": {[]string{list(false, "", item("DeleteMarker", folder+"1-2", "d"), item("Version", folder+"1-2", "v"))}, "/audit/" + folder + "1-2 v"},
		"after a page of deleted":    {[]string{list(true, "1", item("DeleteMarker", folder+"0-9", "d")), list(false, "", item("Version", folder+"1-2", "v"))}, "/audit/" + folder + "1-2 v"},
		"deleted without end":        {[]string{list(true, "1", item("DeleteMarker", folder+"0-9", "d"))}, "are deleted"},
		"of others":                  {[]string{list(false, "", item("Version", "elsewhere", "v"))}, "of other objects"},
		"no list":                    {[]string{"<html"}, "cannot be read"},
	} {
		server := httptest.NewServer(versions{tt.pages})
		p := NewS3(S3Config{Bucket: "audit", Region: "r", Endpoint: server.URL, Prefix: "p", AccessKeyID: "AKIA", SecretKeyFile: writeSecret(t, "k"), HTTP: server.Client(), Now: fixedTime})
		got, err := p.Latest(t.Context(), signed(0))
		if err != nil {
			got = []byte(err.Error())
		}
		if !strings.HasSuffix(string(got), tt.want) || (err == nil) != strings.HasPrefix(tt.want, "/") {
			t.Errorf("%s: %q %v, want %q", name, got, err, tt.want)
		}
		server.Close()
	}
}

func TestNamesOfObjectsFallAsTheLogGrows(t *testing.T) {
	t.Parallel()
	var names []string
	for _, size := range []int64{0, 1, 9, 10, 999, 1000, 1 << 40, 1<<63 - 1} {
		names = append(names, objectName(size))
	}
	slices.Reverse(names)
	if !slices.IsSorted(names) {
		t.Errorf("%v", names)
	}
}

// moto is a simulated S3 of other people's that checks signatures.
func moto(t *testing.T) (address, keyID, secret string) {
	t.Helper()
	address, _ = mototest.Start(t, fmt.Sprintf("INITIAL_NO_AUTH_ACTION_COUNT=%d", motoKeyRequests)) // what comes after is checked
	keyID, secret = motoKey(t, address)
	return address, keyID, secret
}

// motoKeyRequests is how many requests motoKey makes.
const motoKeyRequests = 3

// motoKey makes a user who may use S3.
func motoKey(t *testing.T, address string) (id, secret string) {
	t.Helper()
	post := func(path, body string) string {
		r, err := http.NewRequest(http.MethodPost, address+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/20130524/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x")
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: %d %s %v", path, answer.StatusCode, text, err)
		}
		return string(text)
	}
	const policy = `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:*","Resource":"*"}]}`
	post("/", "Version=2010-05-08&Action=CreateUser&UserName=proxy")
	post("/", "Version=2010-05-08&Action=PutUserPolicy&UserName=proxy&PolicyName=p&PolicyDocument="+url.QueryEscape(policy))
	var made struct {
		ID     string `xml:"CreateAccessKeyResult>AccessKey>AccessKeyId"`
		Secret string `xml:"CreateAccessKeyResult>AccessKey>SecretAccessKey"`
	}
	if err := xml.Unmarshal([]byte(post("/", "Version=2010-05-08&Action=CreateAccessKey&UserName=proxy")), &made); err != nil || made.ID == "" {
		t.Fatalf("%+v %v", made, err)
	}
	http.DefaultClient.CloseIdleConnections()
	return made.ID, made.Secret
}

func TestBucketOfOtherPeople(t *testing.T) {
	t.Parallel()
	address, id, secret := moto(t)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	config := S3Config{Bucket: "audit", Region: "eu-central-1", Endpoint: address, Prefix: "proxy/a b", AccessKeyID: id, SecretKeyFile: writeSecret(t, secret),
		LockMode: "COMPLIANCE", LockTime: 24 * time.Hour, HTTP: client, Now: time.Now}
	b := NewS3(config).(bucket)
	must := func(method, object string, query url.Values, header http.Header, content string) []byte {
		t.Helper()
		status, answer, err := b.do(t.Context(), method, object, query, header, []byte(content), maxListing)
		if err != nil || status/100 != 2 {
			t.Fatalf("%s %s: %d %s %v", method, object, status, answer, err)
		}
		return answer
	}
	must("PUT", "", nil, http.Header{"X-Amz-Bucket-Object-Lock-Enabled": {"true"}}, `<CreateBucketConfiguration><LocationConstraint>eu-central-1</LocationConstraint></CreateBucketConfiguration>`)
	keeps(t, b)

	// Deleting the newest hides it and takes nothing away; deleting its version is refused.
	newest, err := b.newest(t.Context(), b.folder(origin))
	if err != nil || newest.Key != b.folder(origin)+objectName(1000) {
		t.Fatalf("%+v %v", newest, err)
	}
	must("DELETE", newest.Key, nil, nil, "")
	status, _, err := b.do(t.Context(), "DELETE", newest.Key, url.Values{"versionId": {newest.VersionID}}, nil, nil, maxListing)
	if err != nil || status != http.StatusForbidden {
		t.Errorf("a locked version was deleted: %d %v", status, err)
	}
	if got, err := b.Latest(t.Context(), signed(0)); string(got) != string(signed(1000).Signed) || err != nil {
		t.Errorf("after the deletion: %q %v", got, err)
	}

	wrong := config
	wrong.SecretKeyFile = writeSecret(t, "another")
	if err := NewS3(wrong).Publish(t.Context(), signed(1)); err == nil || !strings.Contains(err.Error(), "SignatureDoesNotMatch") || strings.Contains(err.Error(), "another") {
		t.Errorf("signed with another key: %v", err)
	}
	missing := config
	missing.Bucket = "missing"
	if err := latestErr(t, NewS3(missing)); err == nil || errors.Is(err, ErrNone) {
		t.Errorf("a bucket that is not there: %v", err)
	}
}
