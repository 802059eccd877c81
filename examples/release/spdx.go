package main

import (
	"cmp"
	"fmt"
	"time"
)

// spdxDocument is a bill of materials (SPDX 2.3, ISO/IEC 5962).
type spdxDocument struct {
	Version       string             `json:"spdxVersion"`
	DataLicence   string             `json:"dataLicense"`
	ID            string             `json:"SPDXID"`
	Name          string             `json:"name"`
	Namespace     string             `json:"documentNamespace"`
	Creation      spdxCreation       `json:"creationInfo"`
	Packages      []spdxPackage      `json:"packages"`
	Relationships []spdxRelationship `json:"relationships"`
}

type spdxCreation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type spdxPackage struct {
	ID               string            `json:"SPDXID"`
	Name             string            `json:"name"`
	Version          string            `json:"versionInfo"`
	Download         string            `json:"downloadLocation"`
	FilesAnalyzed    bool              `json:"filesAnalyzed"`
	Checksums        []spdxChecksum    `json:"checksums,omitempty"`
	LicenceConcluded string            `json:"licenseConcluded"`
	LicenceDeclared  string            `json:"licenseDeclared"`
	Copyright        string            `json:"copyrightText"`
	Purpose          string            `json:"primaryPackagePurpose"`
	References       []spdxExternalRef `json:"externalRefs"`
	Comment          string            `json:"comment,omitempty"`
}

type spdxChecksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type spdxExternalRef struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type spdxRelationship struct {
	From string `json:"spdxElementId"`
	Kind string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

const (
	spdxItself = "SPDXRef-DOCUMENT"
	spdxMain   = "SPDXRef-Program"
	nobodySays = "NOASSERTION"
)

func (r release) spdx(p program) spdxDocument {
	of := func(c component) []spdxExternalRef { return []spdxExternalRef{{"PACKAGE-MANAGER", "purl", c.purl()}} }
	doc := spdxDocument{
		Version: "SPDX-2.3", DataLicence: "CC0-1.0", ID: spdxItself, Name: p.name + "-" + r.version,
		Namespace: "https://spdx.org/spdxdocs/" + p.name + "-" + r.version + "-" + uuid(p, r),
		Creation:  spdxCreation{r.made.Format(time.RFC3339), []string{"Tool: sfmcp-proxy-release-" + r.version}},
		Packages: []spdxPackage{{ID: spdxMain, Name: p.name, Version: r.version, Download: nobodySays, Checksums: []spdxChecksum{{"SHA256", p.digest()}},
			LicenceConcluded: licence, LicenceDeclared: licence, Copyright: nobodySays, Purpose: "APPLICATION", References: of(r.released(p))}},
		Relationships: []spdxRelationship{{spdxItself, "DESCRIBES", spdxMain}},
	}
	for i, c := range p.parts {
		part := spdxPackage{ID: fmt.Sprintf("SPDXRef-Module-%d", i+1), Name: c.path, Version: c.version, Download: cmp.Or(c.download(), nobodySays),
			LicenceConcluded: nobodySays, LicenceDeclared: nobodySays, Copyright: nobodySays, Purpose: "LIBRARY", References: of(c)}
		if c.sum != "" {
			part.Comment = "go.sum: " + c.sum
		}
		doc.Packages = append(doc.Packages, part)
		doc.Relationships = append(doc.Relationships, spdxRelationship{spdxMain, "DEPENDS_ON", part.ID})
	}
	return doc
}
