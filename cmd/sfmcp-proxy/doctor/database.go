package doctor

import (
	"context"
	"fmt"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// databaseClock compares this host's clock with that of the database, which all replicas share.
func (x *examination) databaseClock(ctx context.Context) error {
	ahead, known, err := x.DatabaseClock(ctx)
	if err == nil && known {
		x.report(clockOfDatabase(ahead))
	}
	return err
}

func clockOfDatabase(ahead time.Duration) Finding {
	f := Finding{Check: "database_clock", Status: Good, Found: "this host's clock agrees with the database's"}
	if ahead.Abs() <= db.ClockBound {
		return f
	}
	side := "ahead of"
	if ahead < 0 {
		side = "behind"
	}
	f.Status, f.Found = Fail, fmt.Sprintf("this host's clock is %s %s the database's", ahead.Abs().Round(time.Second), side)
	f.Fix = "let the clocks of this host, of every other replica's and of the database's follow the same time servers (NTP): replicas whose clocks differ end connections, and while they do nothing is swept"
	return f
}

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
