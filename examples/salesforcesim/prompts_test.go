package salesforcesim

import (
	"encoding/json"
	"strings"
	"testing"

	"sfmcp-proxy/examples/salesforcesim/records"
)

func TestPrompts(t *testing.T) {
	t.Parallel()
	var found []string
	for _, raw := range listPrompts("platform/sobject-all") {
		var p promptDefListed
		if err := json.Unmarshal(raw, &p); err != nil || len(p.Arguments) == 0 {
			t.Fatalf("%v: %s", err, raw)
		}
		found = append(found, p.Name)
	}
	if got := strings.Join(found, " "); got != "accountReviewBriefing revenueReconciliationAnalysis" {
		t.Errorf("prompts %q", got)
	}
	if got := listPrompts("platform/sobject-reads"); got == nil || len(got) != 0 {
		t.Errorf("prompts of sobject-reads: %s, want an empty list", got)
	}
}

type promptDefListed struct {
	Name      string           `json:"name"`
	Arguments []promptArgument `json:"arguments"`
}

func TestGetPrompt(t *testing.T) {
	t.Parallel()
	d := testStore()
	u := rep()
	u.HiddenFields = []string{"Account.AnnualRevenue"}
	get := func(u *User, name, args string) string {
		raw, known := getPrompt(d, u.person(), "platform/sobject-all", name, json.RawMessage(args))
		if !known {
			return "unknown"
		}
		var result struct {
			Messages []struct {
				Role    string
				Content struct{ Type, Text string }
			}
		}
		if err := json.Unmarshal(raw, &result); err != nil || result.Messages[0].Role != "user" || result.Messages[0].Content.Type != "text" {
			t.Fatalf("%v: %s", err, raw)
		}
		return result.Messages[0].Content.Text
	}
	briefing := get(u, "accountReviewBriefing", `{"accountId":"`+heliosID+`"}`)
	if !strings.Contains(briefing, "Helios Energy GmbH") || strings.Contains(briefing, "AnnualRevenue") {
		t.Errorf("briefing %q", briefing)
	}
	if got := get(u, "revenueReconciliationAnalysis", ``); !strings.Contains(got, "Won: 540000.00. Open: 569000.00.") {
		t.Errorf("analysis %q", got)
	}
	if got := get(u, "accountReviewBriefing", `{"accountId":"`+records.RecordID("001", 99)+`"}`); !strings.Contains(got, "cannot be read") {
		t.Errorf("unknown account: %q", got)
	}
	u.HiddenFields = []string{"Opportunity.Amount"}
	if got := get(u, "revenueReconciliationAnalysis", `{}`); !strings.Contains(got, "cannot be read") {
		t.Errorf("hidden amounts: %q", got)
	}
	for _, args := range []string{``, `{}`, `{"accountId":5}`, `[]`} {
		if got := get(u, "accountReviewBriefing", args); got != "unknown" {
			t.Errorf("arguments %s: %q", args, got)
		}
	}
	if got := get(u, "nothing", `{}`); got != "unknown" {
		t.Errorf("prompt that does not exist: %q", got)
	}
}

func TestResources(t *testing.T) {
	t.Parallel()
	list := listResources("custom/AcmeOps")
	if len(list) != 1 || !strings.Contains(string(list[0]), `"uri":"ui://widget/lightningType/c__accountSummary"`) {
		t.Fatalf("resources %s", list)
	}
	raw, known := readResource("custom/AcmeOps", summaryWidget)
	var result struct {
		Contents []struct{ URI, MimeType, Text string }
	}
	if err := json.Unmarshal(raw, &result); err != nil || !known {
		t.Fatal(err)
	}
	c := result.Contents[0]
	if c.URI != summaryWidget || c.MimeType != widgetMIME || len(c.Text) < 800_000 || !strings.HasSuffix(c.Text, "</html>") {
		t.Errorf("resource %s, %s, %d bytes", c.URI, c.MimeType, len(c.Text))
	}
	if _, known := readResource("custom/AcmeOps", "ui://widget/lightningType/c__other"); known {
		t.Error("an unknown resource is read")
	}
	if _, known := readResource("platform/sobject-all", summaryWidget); known {
		t.Error("another server's resource is read")
	}
}
