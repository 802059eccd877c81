package people

import "context"

// CutSince reports whether a person, or a Salesforce user who is the same human, was cut off since what began with that number of
// [db.DB.LastCut]. The note of the person stays where the link does not.
func (s *Store) CutSince(ctx context.Context, issuer, subject string, began int64) (bool, error) {
	if cut, err := s.DB.CutSince(ctx, s.DB.Reads, issuer, subject, began); err != nil || cut {
		return cut, err
	}
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
