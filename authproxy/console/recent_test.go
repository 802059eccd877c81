package console

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/approval"
	"sfmcp-proxy/authproxy/policy"
)

// What is over of somebody's calls is in their list however many newer ones there are of others, and all of it is
// found behind "Older calls"; so is what asked for a role of theirs.
func TestRecentIsOfTheViewer(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	deny := func(subject string, approvers policy.Approvers, n int) string {
		b := binding("acme", subject, fmt.Sprintf(`{"n":%d}`, n))
		b.Confirmation.Approvers, b.GrantID = approvers, fmt.Sprint("grt_", n)
		r := must[*approval.Request](t)(s.approvals.Submit(t.Context(), b, "create"))
		must[*approval.Request](t)(s.approvals.Deny(t.Context(), r.ID, actor.Operator("root", ""), ""))
		s.now = s.now.Add(time.Second)
		return r.ID
	}
	var own, asked []string
	for n := range 2*recentApprovals + 3 {
		own = append(own, deny("005A", policy.Requester, n))
	}
	asked = append(asked, deny("005B", "role:approver", 1000))
	for n := range 3 * recentApprovals {
		deny("005C", "role:security", 2000+n)
	}
	slices.Reverse(own)
	alice := s.signIn("acme", "005A")
	line := regexp.MustCompile(`href="/approvals/(apr_[a-z0-9]+)"`)
	older := regexp.MustCompile(`href="(/approvals\?behind=[^#"]+)#recent"`)
	walk := func(who browser) (got []string, pages int) {
		t.Helper()
		for path := "/approvals"; path != ""; pages++ {
			page := who.get(path)
			page.want(t, 200)
			ids := line.FindAllStringSubmatch(page.body, -1)
			for _, id := range ids {
				got = append(got, id[1])
			}
			if len(ids) > recentApprovals {
				t.Errorf("%s: %d lines", path, len(ids))
			}
			next := older.FindStringSubmatch(page.body)
			if path = ""; next != nil {
				path = strings.ReplaceAll(next[1], "&amp;", "&")
			}
		}
		return got, pages
	}
	if got, pages := walk(browser{site: s, header: alice.header()}); !slices.Equal(got, own) || pages != 3 {
		t.Errorf("of a user: %d calls on %d pages, want %d", len(got), pages, len(own))
	}
	var approver browser
	approver, s.console.People, s.console.Decisions.(*authproxy.Decisions).People = onlooker{"ann", "", personOf("ann", "approver")}.browser(&asking{alice})
	if got, _ := walk(approver); !slices.Equal(got, asked) {
		t.Errorf("of a role: %q, want %q", got, asked)
	}
	for _, none := range []string{"x", "zz-apr_", "1-apr_'", strings.Repeat("z", 40) + "-apr_a"} { // none of ours: the newest
		alice.get("/approvals?behind="+none).want(t, 200, "Recent", "Older calls")
	}
}
