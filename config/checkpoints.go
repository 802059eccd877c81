package config

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"sfmcp-proxy/authproxy/audit/publish"
	"sfmcp-proxy/authproxy/audit/tree"
	"sfmcp-proxy/authproxy/audit/witness"
)

// CheckpointParts is what places of checkpoints need besides the configuration.
type CheckpointParts struct {
	HTTP *http.Client // must not follow redirects
	Now  func() time.Time
	// What witnesses ask for and answer, as in [witness.PlaceConfig].
	Prove    func(older, newer int64) ([]tlog.Hash, error)
	Cosigned func(c publish.Checkpoint, lines []byte) error
}

// Places are the places of checkpoints, in their order.
func (a Audit) Places(parts CheckpointParts) (all []publish.Place, err error) {
	for i, c := range a.Checkpoints {
		switch {
		case c.File != "":
			all = append(all, publish.NewFile(c.File))
		case c.URL != "":
			all = append(all, publish.NewURL(publish.URLConfig{URL: c.URL, TokenFile: c.TokenFile, HTTP: parts.HTTP}))
		case c.Witness != "":
			key, err := tree.WitnessKey(c.Key)
			if err != nil {
				return nil, fmt.Errorf("audit.checkpoints[%d].key: %w", i, err)
			}
			w := witness.Witness{URL: c.Witness, Key: key, Client: parts.HTTP}
			all = append(all, witness.NewPlace(witness.PlaceConfig{Witness: w, Prove: parts.Prove, Cosigned: parts.Cosigned}))
		default:
			all = append(all, publish.NewS3(c.S3.place(parts)))
		}
	}
	return all, nil
}

func (s S3) place(parts CheckpointParts) publish.S3Config {
	return publish.S3Config{
		Bucket: s.Bucket, Region: s.Region, Endpoint: s.Endpoint, Prefix: s.Prefix, AccessKeyID: s.AccessKeyID, SecretKeyFile: s.SecretKeyFile,
		LockMode: strings.ToUpper(s.ObjectLock), LockTime: time.Duration(s.ObjectLockDays) * 24 * time.Hour, HTTP: parts.HTTP, Now: parts.Now,
	}
}
