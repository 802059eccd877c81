package main

import (
	"crypto/sha256"
	"encoding/hex"
	"time"
)

// cdx is a bill of materials (CycloneDX 1.6, ECMA-424).
type cdx struct {
	Schema       string          `json:"$schema"`
	Format       string          `json:"bomFormat"`
	Spec         string          `json:"specVersion"`
	Serial       string          `json:"serialNumber"`
	Version      int             `json:"version"`
	Metadata     cdxMetadata     `json:"metadata"`
	Components   []cdxComponent  `json:"components"`
	Dependencies []cdxDependency `json:"dependencies"`
}

type cdxMetadata struct {
	Timestamp string       `json:"timestamp"`
	Component cdxComponent `json:"component"`
}

type cdxComponent struct {
	Type       string        `json:"type"`
	Ref        string        `json:"bom-ref"`
	Name       string        `json:"name"`
	Version    string        `json:"version"`
	Purl       string        `json:"purl"`
	Hashes     []cdxHash     `json:"hashes,omitempty"`
	Licenses   []cdxLicense  `json:"licenses,omitempty"`
	Properties []cdxProperty `json:"properties,omitempty"`
}

type cdxHash struct {
	Algorithm string `json:"alg"`
	Content   string `json:"content"`
}

type cdxLicense struct {
	License struct {
		ID string `json:"id"`
	} `json:"license"`
}

type cdxProperty struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type cdxDependency struct {
	Ref string   `json:"ref"`
	On  []string `json:"dependsOn,omitempty"`
}

// licence of our own sources, as SPDX names it.
const licence = "Apache-2.0"

func (r release) cycloneDX(p program) cdx {
	main := r.released(p)
	own := cdxLicense{}
	own.License.ID = licence
	root := cdxComponent{Type: "application", Ref: main.purl(), Name: p.name, Version: r.version, Purl: main.purl(),
		Hashes: []cdxHash{{"SHA-256", p.digest()}}, Licenses: []cdxLicense{own}}
	for _, key := range []string{"GOOS", "GOARCH", "CGO_ENABLED", "-tags"} {
		if value := p.settings[key]; value != "" {
			root.Properties = append(root.Properties, cdxProperty{"sfmcp-proxy:build:" + key, value})
		}
	}
	bom := cdx{Schema: "http://cyclonedx.org/schema/bom-1.6.schema.json", Format: "CycloneDX", Spec: "1.6", Serial: "urn:uuid:" + uuid(p, r), Version: 1,
		Metadata: cdxMetadata{Timestamp: r.made.Format(time.RFC3339), Component: root}, Dependencies: []cdxDependency{{Ref: root.Ref}}}
	for _, c := range p.parts {
		part := cdxComponent{Type: "library", Ref: c.purl(), Name: c.path, Version: c.version, Purl: c.purl()}
		if c.sum != "" { // a sum over the names and sums of a module's files is no hash of a file
			part.Properties = []cdxProperty{{"sfmcp-proxy:go.sum", c.sum}}
		}
		bom.Components = append(bom.Components, part)
		bom.Dependencies[0].On = append(bom.Dependencies[0].On, part.Ref)
		bom.Dependencies = append(bom.Dependencies, cdxDependency{Ref: part.Ref})
	}
	return bom
}

// uuid is made of what the document is about, so that the same program has the same (RFC 9562, version 8).
func uuid(p program, r release) string {
	sum := sha256.Sum256([]byte(p.name + " " + p.digest() + " " + r.version + " " + r.commit))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80
	text := hex.EncodeToString(sum[:16])
	return text[:8] + "-" + text[8:12] + "-" + text[12:16] + "-" + text[16:20] + "-" + text[20:]
}
