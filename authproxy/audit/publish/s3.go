package publish

import (
	"bytes"
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// S3Config is the place of a bucket.
type S3Config struct {
	Bucket, Region string
	Endpoint       string // https://HOST; empty: Amazon's for the region
	Prefix         string // of the names of objects
	AccessKeyID    string
	SecretKeyFile  string
	LockMode       string        // GOVERNANCE or COMPLIANCE; empty: as the bucket has it
	LockTime       time.Duration // for which nobody can take a checkpoint away
	HTTP           *http.Client
	Now            func() time.Time
}

type bucket struct {
	web
	config S3Config
}

// NewS3 is the place of a bucket of S3 or of what speaks its protocol. Each checkpoint is an
// object of its own, PREFIX/ORIGIN/REMAINDER-SIZE, where REMAINDER falls as the size grows:
// so the first name is the newest, and nobody who can only write can hide it.
func NewS3(c S3Config) Place { return newBucket(c) }

func newBucket(c S3Config) bucket {
	if c.Endpoint == "" {
		c.Endpoint = "https://s3." + c.Region + ".amazonaws.com"
	}
	c.Endpoint, c.Prefix = strings.TrimSuffix(c.Endpoint, "/"), strings.Trim(c.Prefix, "/")
	return bucket{web{c.HTTP}, c}
}

func (b bucket) String() string {
	return strings.TrimSuffix("bucket "+b.config.Bucket+"/"+b.config.Prefix, "/")
}

// folder is what the names of a log's objects begin with.
func (b bucket) folder(origin string) string {
	return strings.TrimPrefix(b.config.Prefix+"/"+fileName(origin)+"/", "/")
}

func objectName(size int64) string { return fmt.Sprintf("%019d-%d", math.MaxInt64-size, size) }

// do signs and sends a request about an object, or about the bucket.
func (b bucket) do(ctx context.Context, method, object string, query url.Values, header http.Header, content []byte, limit int64) (int, []byte, error) {
	secret, err := ReadSecret(b.config.SecretKeyFile)
	if err != nil {
		return 0, nil, err
	}
	address, err := url.Parse(b.config.Endpoint)
	if err != nil {
		return 0, nil, err
	}
	address.Path += "/" + b.config.Bucket
	if object != "" {
		address.Path += "/" + object
	}
	address.RawPath = awsEncode(address.Path, "/")
	address.RawQuery = awsQuery(query)
	r, err := http.NewRequestWithContext(ctx, method, address.String(), bytes.NewReader(content))
	if err != nil {
		return 0, nil, err
	}
	for name, values := range header {
		r.Header[name] = values
	}
	awsKey{b.config.AccessKeyID, secret, b.config.Region}.sign(r, content, b.config.Now())
	return b.send(r, limit)
}

// Publish puts the object of the checkpoint, locked where that is wanted.
func (b bucket) Publish(ctx context.Context, c Checkpoint) error {
	return b.put(ctx, b.folder(c.Origin)+objectName(c.Size), "text/plain; charset=utf-8", c.Signed)
}

// put puts an object, locked where that is wanted.
func (b bucket) put(ctx context.Context, object, contentType string, content []byte) error {
	sum := md5.Sum(content) // S3 wants it with a lock; the signature covers a SHA-256
	header := http.Header{"Content-Type": {contentType}, "Content-Md5": {base64.StdEncoding.EncodeToString(sum[:])}}
	if b.config.LockMode != "" {
		header.Set("X-Amz-Object-Lock-Mode", b.config.LockMode)
		header.Set("X-Amz-Object-Lock-Retain-Until-Date", b.config.Now().Add(b.config.LockTime).UTC().Format(time.RFC3339))
	}
	status, answer, err := b.do(ctx, http.MethodPut, object, nil, header, content, maxListing)
	if err == nil && status != http.StatusOK {
		err = refused("PUT", status, answer)
	}
	return err
}

// Bucket keeps other objects about a log than its checkpoints.
type Bucket struct{ bucket bucket }

// NewBucket makes no connection yet.
func NewBucket(c S3Config) Bucket { return Bucket{newBucket(c)} }

// Object names an object: PREFIX/LOG/NAME.
type Object struct {
	Log, Name string
	Type      string // of its content
}

// Put puts an object in the place of one with its name, locked where that is wanted.
func (b Bucket) Put(ctx context.Context, o Object, content []byte) error {
	return b.bucket.put(ctx, b.bucket.folder(o.Log)+o.Name, o.Type, content)
}

// Latest looks at all versions, because a name that was deleted is hidden from other lists
// while its locked content is still there.
func (b bucket) Latest(ctx context.Context, c Checkpoint) ([]byte, error) {
	newest, err := b.newest(ctx, b.folder(c.Origin))
	if err != nil {
		return nil, err
	}
	query := url.Values{}
	if newest.VersionID != "" && newest.VersionID != "null" {
		query.Set("versionId", newest.VersionID)
	}
	status, signed, err := b.do(ctx, http.MethodGet, newest.Key, query, nil, nil, maxCheckpoint)
	if err == nil && status != http.StatusOK {
		err = refused("GET", status, signed)
	}
	return signed, err
}

const (
	maxListing = 2 << 20 // bytes of a list of 1,000 versions
	maxPages   = 20      // of names that are all deleted
)

type version struct {
	Key       string `xml:"Key"`
	VersionID string `xml:"VersionId"`
}

// newest is the first version below a folder.
func (b bucket) newest(ctx context.Context, folder string) (version, error) {
	query := url.Values{"versions": {""}, "prefix": {folder}, "max-keys": {"1000"}}
	for range maxPages {
		status, answer, err := b.do(ctx, http.MethodGet, "", query, nil, nil, maxListing)
		if err != nil {
			return version{}, err
		}
		if status != http.StatusOK {
			return version{}, refused("the list of versions", status, answer)
		}
		var list struct {
			Versions            []version `xml:"Version"`
			IsTruncated         bool
			NextKeyMarker       string
			NextVersionIDMarker string `xml:"NextVersionIdMarker"`
		}
		if err := xml.Unmarshal(answer, &list); err != nil {
			return version{}, errors.New("the list of versions cannot be read")
		}
		switch {
		case len(list.Versions) > 0 && strings.HasPrefix(list.Versions[0].Key, folder):
			return list.Versions[0], nil
		case len(list.Versions) > 0:
			return version{}, errors.New("the list of versions is of other objects")
		case !list.IsTruncated:
			return version{}, ErrNone
		}
		query.Set("key-marker", list.NextKeyMarker)
		query.Set("version-id-marker", list.NextVersionIDMarker)
	}
	return version{}, fmt.Errorf("the first %d names below %s are deleted", 1000*maxPages, folder)
}

// refused is an answer of S3's that is no success, with the code that its documentation
// lists and nothing else of it.
func refused(what string, status int, answer []byte) error {
	var problem struct{ Code string }
	if xml.Unmarshal(answer, &problem) == nil && len(problem.Code) <= 60 && strings.Trim(strings.ToLower(problem.Code), "abcdefghijklmnopqrstuvwxyz") == "" && problem.Code != "" {
		return fmt.Errorf("%s was answered with status %d (%s)", what, status, problem.Code)
	}
	return fmt.Errorf("%s was answered with status %d", what, status)
}
