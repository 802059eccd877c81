package people

import "context"

// CutSince reports whether a Salesforce user who is the same human as a person was cut off since what began with that number of
// [db.DB.LastCut].
func (s *Store) CutSince(ctx context.Context, issuer, subject string, began int64) (bool, error) {
	links, err := s.LinksOf(ctx, issuer, subject)
	if err != nil {
		return false, err
	}
	for _, l := range links {
		if cut, err := s.DB.CutSince(ctx, s.DB.Reads, l.Org, l.Subject, began); err != nil || cut {
			return cut, err
		}
	}
	return false, nil
}
