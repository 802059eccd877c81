package audit

import "slices"

// MaxRecords is how many ids of records one entry names. RecordsTotal says how many there were.
const MaxRecords = 20

// Records are records of Salesforce that an entry names: of one object, and touched in one way.
type Records struct {
	Class  string   `json:"class"`            // what was done with them, in the words of Entry.Class
	Object string   `json:"object,omitempty"` // API name; empty if nobody said it
	IDs    []string `json:"ids"`              // of 15 or 18 characters
}

// IsRecordID reports whether s has the form of a Salesforce record id: 15 letters and digits,
// or 18.
func IsRecordID[T ~string | ~[]byte](s T) bool {
	if len(s) != 15 && len(s) != 18 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; !('a' <= c|0x20 && c|0x20 <= 'z' || '0' <= c && c <= '9') {
			return false
		}
	}
	return true
}

// boundedRecords is what may be stored of all: at most [MaxRecords] ids that are ids.
func boundedRecords(all []Records) []Records {
	if areBounded(all) {
		return all
	}
	var kept []Records
	room := MaxRecords
	for _, r := range all {
		ids := slices.DeleteFunc(slices.Clone(r.IDs[:min(len(r.IDs), room)]), func(id string) bool { return !IsRecordID(id) })
		if len(ids) == 0 {
			continue
		}
		room -= len(ids)
		kept = append(kept, Records{Class: bounded(r.Class, maxText), Object: bounded(r.Object, maxText), IDs: ids})
	}
	return kept
}

// areBounded reports whether all may be stored as they are, as most may.
func areBounded(all []Records) bool {
	room := MaxRecords
	for _, r := range all {
		room -= len(r.IDs)
		if room < 0 || len(r.IDs) == 0 || bounded(r.Class, maxText) != r.Class || bounded(r.Object, maxText) != r.Object ||
			slices.ContainsFunc(r.IDs, func(id string) bool { return !IsRecordID(id) }) {
			return false
		}
	}
	return true
}

// appendRecords writes the member records, which is left out if there are none.
func appendRecords(b []byte, all []Records) []byte {
	for i, r := range all {
		if i == 0 {
			b = append(b, `,"records":[`...)
		} else {
			b = append(b, ',')
		}
		b = appendString(append(b, `{"class":`...), r.Class)
		if r.Object != "" {
			b = appendString(append(b, `,"object":`...), r.Object)
		}
		for j, id := range r.IDs {
			if j == 0 {
				b = append(b, `,"ids":[`...)
			} else {
				b = append(b, ',')
			}
			b = appendString(b, id)
		}
		b = append(b, `]}`...)
	}
	if len(all) > 0 {
		b = append(b, ']')
	}
	return b
}
