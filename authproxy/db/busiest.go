package db

import (
	"context"
	"database/sql"
	"fmt"
)

// Busiest returns whose row gives way where a table is full: the network with most of the
// rows that selection (a table and a WHERE) leaves, and its host with most of them; of equal
// ones that with the oldest row. The table has the columns network, host and created_at.
// Whoever has few rows loses none to whoever has many, however many come. [sql.ErrNoRows]
// says that no row may go.
func Busiest(ctx context.Context, tx *sql.Tx, selection string, args ...any) (network, host string, err error) {
	const order = ` ORDER BY COUNT(*) DESC, MIN(created_at), `
	err = tx.QueryRowContext(ctx, `SELECT network FROM `+selection+` GROUP BY network`+order+`network LIMIT 1`, args...).Scan(&network)
	if err != nil {
		return "", "", err
	}
	ofNetwork := fmt.Sprintf(` AND network = $%d`, len(args)+1)
	err = tx.QueryRowContext(ctx, `SELECT host FROM `+selection+ofNetwork+` GROUP BY host`+order+`host LIMIT 1`, append(args, network)...).Scan(&host)
	return network, host, err
}
