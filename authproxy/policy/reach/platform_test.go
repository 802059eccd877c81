package reach

import (
	"bufio"
	"compress/gzip"
	"os"
	"slices"
	"strings"
	"testing"
)

// platformObject is one of Salesforce's own objects as the platform describes it.
type platformObject struct {
	name     string
	parents  map[string]string // relation → object; UnknownObject: several, which the source does not list
	children map[string]string // child relation → object
	fields   map[string]bool   // that are no relations; not of histories, shares and their like
}

// platform reads the description of Salesforce's own objects: 4818 of them, as
// github.com/apex-dev-tools/sobject-types publishes it (BSD 3-Clause). A line has the object,
// its relations to parents and its child relations, NAME>OBJECT or only the name where both
// are the same, and its other fields.
func platform(t *testing.T) (all []platformObject) {
	t.Helper()
	file, err := os.Open("testdata/platform.tsv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unpacked, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(unpacked)
	lines.Buffer(nil, 1<<20)
	relations := func(text string) map[string]string {
		to := map[string]string{}
		for _, relation := range strings.Fields(text) {
			name, object, differs := strings.Cut(relation, ">")
			if !differs {
				object = name
			}
			to[name] = object
		}
		return to
	}
	for lines.Scan() {
		columns := strings.Split(lines.Text(), "\t")
		o := platformObject{columns[0], relations(columns[1]), relations(columns[2]), map[string]bool{}}
		for _, field := range strings.Fields(columns[3]) {
			o.fields[field] = true
		}
		all = append(all, o)
	}
	if err := lines.Err(); err != nil || len(all) != 4818 {
		t.Fatalf("%d objects: %v", len(all), err)
	}
	return all
}

// P3: where a relation leads is answered as the platform says, or not at all.
func TestP3RelationsAgreeWithThePlatform(t *testing.T) {
	t.Parallel()
	var c *Schema
	answered := 0
	for _, o := range platform(t) {
		for relation, want := range o.children {
			if got := c.childrenOf(o.name, relation).to; got != nil {
				answered++
				if !slices.Equal(got, []string{want}) {
					t.Errorf("child relation %s.%s leads to %v, the platform says %s", o.name, relation, got, want)
				}
			}
		}
		for relation, want := range o.parents {
			got := c.parentsOf(o.name, relation).to
			if got == nil {
				continue
			}
			answered++
			if want != UnknownObject && !slices.Contains(got, want) {
				t.Errorf("relation %s.%s leads to %v, the platform says %s", o.name, relation, got, want)
			}
			if want == UnknownObject && len(got) == 1 {
				t.Errorf("relation %s.%s leads to %v, the platform has several", o.name, relation, got)
			}
		}
	}
	if answered < 15000 {
		t.Errorf("only %d relations are known", answered)
	}
}

// P10: every relation of the platform is known by its name, so that none hides behind an alias.
func TestP10AliasesAreComparedWithAllRelations(t *testing.T) {
	t.Parallel()
	for _, o := range platform(t) {
		for relation := range o.parents {
			if !isRelation(relation) {
				t.Errorf("%s of %s can be an alias", relation, o.name)
			}
		}
	}
	v, refused := readSOQL("SELECT OriginalActor.Name FROM ProcessInstanceStep OriginalActor")
	if refused != nil || !v.Opaque {
		t.Errorf("an alias hides a relation: %v, %v", v.ObjectNames(), refused)
	}
}

// P4: the table of copies has every field that the rule finds in the platform's description.
func TestP4CopiesOfThePlatform(t *testing.T) {
	t.Parallel()
	all := platform(t)
	fields := map[string]map[string]bool{}
	for _, o := range all {
		fields[o.name] = o.fields
	}
	found := 0
	for _, o := range all {
		for relation, object := range o.parents {
			for field := range o.fields {
				name, ok := strings.CutPrefix(field, relation)
				if !ok || !fields[object][name] {
					continue
				}
				found++
				if !slices.Contains(standardCopies(o.name, field), Ref{object, name}) {
					t.Errorf("%s.%s copies %s.%s, which the table does not say", o.name, field, object, name)
				}
			}
		}
	}
	if found < 50 {
		t.Errorf("the rule finds only %d copies", found)
	}
}
