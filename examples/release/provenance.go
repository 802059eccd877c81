package main

import (
	"cmp"
	"time"
)

// buildType says what the parameters mean: .ci/release was run on the commit with the version.
const buildType = "urn:sfmcp-proxy:build:ci-release:1"

// statement is an in-toto Statement v1 whose predicate is SLSA provenance v1.
type statement struct {
	Type          string        `json:"_type"`
	Subject       []resource    `json:"subject"`
	PredicateType string        `json:"predicateType"`
	Predicate     slsaPredicate `json:"predicate"`
}

// resource is in-toto's ResourceDescriptor.
type resource struct {
	Name   string            `json:"name,omitempty"`
	URI    string            `json:"uri,omitempty"`
	Digest map[string]string `json:"digest,omitempty"`
}

type slsaPredicate struct {
	Definition slsaDefinition `json:"buildDefinition"`
	Run        slsaRun        `json:"runDetails"`
}

type slsaDefinition struct {
	BuildType    string                       `json:"buildType"`
	External     map[string]string            `json:"externalParameters"`
	Internal     map[string]map[string]string `json:"internalParameters"`
	Dependencies []resource                   `json:"resolvedDependencies"`
}

type slsaRun struct {
	Builder struct {
		ID string `json:"id"`
	} `json:"builder"`
	Metadata map[string]string `json:"metadata"`
}

// provenance is one statement for all programs. The time is the commit's: that of the build would make
// each build another one.
func (r release) provenance(all []program) statement {
	s := statement{Type: "https://in-toto.io/Statement/v1", PredicateType: "https://slsa.dev/provenance/v1"}
	d := &s.Predicate.Definition
	d.BuildType, d.External, d.Internal = buildType, map[string]string{"version": r.version, "commit": r.commit}, map[string]map[string]string{}
	d.Dependencies = []resource{{URI: "git+" + cmp.Or(r.source, "urn:sfmcp-proxy:source") + "@" + r.commit, Digest: map[string]string{"gitCommit": r.commit}}}
	seen := map[string]bool{}
	for _, p := range all {
		s.Subject = append(s.Subject, resource{Name: p.name, Digest: map[string]string{"sha256": p.digest()}})
		d.Internal[p.name] = p.settings
		for _, c := range p.parts {
			if seen[c.purl()] {
				continue
			}
			seen[c.purl()] = true
			part := resource{URI: c.purl()}
			if hash, ok := c.dirHash(); ok {
				part.Digest = map[string]string{"dirHash": hash}
			}
			d.Dependencies = append(d.Dependencies, part)
		}
	}
	s.Predicate.Run.Builder.ID = r.builder
	s.Predicate.Run.Metadata = map[string]string{"startedOn": r.made.Format(time.RFC3339)}
	return s
}
