package doctor

import (
	"context"
	"fmt"
)

// database says what the role may do by which the proxy is in its database.
func (x *examination) database(ctx context.Context) error {
	e, err := x.Excess(ctx)
	if err != nil {
		return err
	}
	if e.Role == "" {
		return nil
	}
	const check = "database_role"
	switch problem, note := e.Problem(), e.Note(); {
	case problem != "":
		x.report(Finding{Check: check, Status: Fail, Found: problem, Fix: "Give the proxy a role of its own, and change the user in database."})
	case note != "":
		x.report(Finding{Check: check, Status: Warn, Found: note, Fix: "Where one role is to do both, nothing: the audit log's signed checkpoints show what is changed. Otherwise use two."})
	default:
		x.report(Finding{Check: check, Status: Good, Found: fmt.Sprintf("the database role %s may change neither the schema nor what is evidence", e.Role)})
	}
	return nil
}
