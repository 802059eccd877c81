package notice

import "testing"

// FT-39: a message about an event that only a newer version knows is not sent as something else, and
// left to a process of that version.
func TestFaultFT39EventOfALaterVersion(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	q := queue{db: o.db, now: o.now}
	if err := q.add(t.Context(), "chat", "of_a_later_version", "apr_1", ""); err != nil {
		t.Fatal(err)
	}
	if row, err := q.take(t.Context(), "chat"); err != nil || row != nil {
		t.Errorf("taken: %+v, %v", row, err)
	}
	if err := q.add(t.Context(), "chat", Requested, "apr_2", ""); err != nil {
		t.Fatal(err)
	}
	if row, err := q.take(t.Context(), "chat"); err != nil || row == nil || row.About != "apr_2" {
		t.Errorf("taken: %+v, %v", row, err)
	}
	var waits int
	if err := o.db.Reads.QueryRow(`SELECT COUNT(*) FROM notices WHERE outcome = '' AND attempts = 0`).Scan(&waits); err != nil || waits != 1 {
		t.Errorf("%d wait, %v", waits, err)
	}
}
