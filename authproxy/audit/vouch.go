package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"sfmcp-proxy/authproxy/audit/logfile"
)

// entryKey is what the keys of the MACs of entries are derived for.
const entryKey = "audit entry"

// macMember begins the last member of a record: the MAC of everything before it and of the log's name, "KEYID:BASE64URL" (see
// seal.KeyRing.MAC). The number of the entry is in what it covers, so a record fits in one place of one log.
const macMember = `,"mac":"`

// vouch adds the MAC to a record of the log of that name.
func (s signing) vouch(origin string, record []byte) []byte {
	record = record[:len(record)-1] // the brace
	mac := s.ring.MAC(entryKey, origin, string(record))
	return append(append(append(record, macMember...), mac...), `"}`...)
}

// vouches says whether somebody with a key of the ring has written a record as the one of that number of the log of that name.
// Records of versions before 0.2.0 have no MAC.
func (s signing) vouches(origin string, seq int64, record []byte) bool {
	text, mac, ok := cutMAC(record)
	return ok && isNumbered(record, seq) && s.ring.CheckMAC(mac, entryKey, origin, string(text)) == nil
}

// cutMAC parts a record from its MAC; ok is false if it has none.
func cutMAC(record []byte) (text []byte, mac string, ok bool) {
	at := bytes.LastIndex(record, []byte(macMember))
	if at < 0 || !bytes.HasSuffix(record, []byte(`"}`)) {
		return nil, "", false
	}
	value := record[at+len(macMember) : len(record)-len(`"}`)]
	return record[:at], string(value), bytes.IndexByte(value, '"') < 0
}

// unvouched is the disagreement about a record that nobody with the keys has written.
func unvouched(seq int64) *Disagreement {
	return &Disagreement{"its own files", fmt.Sprintf("entry %d was not written with a key of the key file: somebody without the keys has added it, or a version before 0.2.0 that ran beside this one", seq), true}
}

// tail looks whether every record behind those that a checkpoint has signed was written by somebody with the keys. A log that a
// version before 0.2.0 has written, and that was not signed up to its end, has records without a MAC there:
// they count where the one before them has none either.
func (k *checkpoints) tail(signed int64) error {
	size := k.follow.size()
	if signed >= size {
		return nil
	}
	segments, err := k.stored.segments()
	if err != nil {
		return err
	}
	_, origin := k.follow.now()
	before := signed > 0 // a record with a MAC stands before the next one, or one that is gone
	for i, s := range segments {
		if i+1 < len(segments) && segments[i+1].First <= max(signed, 1) {
			continue
		}
		_, err := logfile.ScanSegment(s, func(r logfile.Record) error {
			if r.Seq < signed || r.Seq > size {
				return nil
			}
			vouched := k.vouches(origin, r.Seq, r.Text)
			if !vouched && before && r.Seq > signed {
				return unvouched(r.Seq)
			}
			before = vouched
			return nil
		})
		if damage := (*logfile.Damage)(nil); errors.As(err, &damage) && damage.Seq > size { // a write under way
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ListVouched is [Log.List] without a filter for the entries behind number after that the keys vouch for: by a checkpoint that one
// of them signed and that fits the log, or by the entry's own MAC. It returns how many others it passed over.
func (l *Log) ListVouched(ctx context.Context, after int64, f func(Entry) error) (passed int64, err error) {
	l.Flush()
	signed, err := l.checkpoints.vouched(ctx)
	if err != nil {
		return 0, err
	}
	_, origin := l.follow.now()
	err = reading{l}.selected(ctx, Filter{After: after}, func(text []byte, e Entry) error {
		if e.Seq > signed && !l.checkpoints.vouches(origin, e.Seq, text) {
			passed++
			return nil
		}
		return f(e)
	})
	return passed, err
}

// vouched is up to which entry the log is that of a checkpoint which one of the keys signed; 0: there is none.
func (k *checkpoints) vouched(ctx context.Context) (size int64, err error) {
	all, _ := k.all(ctx) // of those that cannot be read nothing is known
	for _, there := range all {
		c, err := k.parse(there.signed)
		if err != nil || c.Size <= size || c.Size > k.follow.size() {
			continue
		}
		if root, err := rootAt(k.stored, c.Size); err == nil && root == c.Root {
			size = c.Size
		}
	}
	return size, ctx.Err()
}
