package audit

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"

	"sfmcp-proxy/authproxy/db"
)

// rowsAtOnce is how many rows one statement inserts, where there are as many. More make
// no row cheaper.
const rowsAtOnce = 8

const columns = 7

var (
	insertOne  = insertRows(1)
	insertMany = insertRows(rowsAtOnce)
)

func insertRows(n int) string {
	var b strings.Builder
	b.WriteString(`INSERT INTO audit_entries (seq, at, actor, action, tool, entry, mac) VALUES `)
	for i := range n {
		if i > 0 {
			b.WriteString(", ")
		}
		c := i * columns
		fmt.Fprintf(&b, "($%d, $%d, $%d, $%d, $%d, $%d, $%d)", c+1, c+2, c+3, c+4, c+5, c+6, c+7)
	}
	return b.String()
}

// prepare sees to what a commit needs: the statements, made once, because compiling one
// takes longer than running it, and the key that signs, which may have been rotated.
func (l *Log) prepare(ctx context.Context) error {
	keys, err := l.ring.Keys(chainPurpose)
	if err != nil {
		return err
	}
	if l.signer == nil || l.signer.id != keys[0].ID {
		l.signer = newSigner(keys[0])
	}
	if l.statements != nil {
		return nil
	}
	all := map[string]*sql.Stmt{}
	for _, query := range []string{selectHead, countEntries, upsertHead, insertOne, insertMany} {
		statement, err := l.db.Writes.PrepareContext(ctx, query)
		if err != nil {
			for _, s := range all {
				s.Close()
			}
			return err
		}
		all[query] = statement
	}
	l.statements = all
	return nil
}

// prepared is a transaction in which only the statements of prepare are run.
type prepared struct {
	tx  *sql.Tx
	all map[string]*sql.Stmt
}

func (p prepared) QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row {
	return p.tx.StmtContext(ctx, p.all[query]).QueryRowContext(ctx, args...)
}

func (p prepared) exec(ctx context.Context, query string, args ...any) error {
	_, err := p.tx.StmtContext(ctx, p.all[query]).ExecContext(ctx, args...)
	return err
}

// insert appends the entries of a group after h and returns the new head.
func (l *Log) insert(ctx context.Context, tx prepared, h head, group []*waiting) (head, error) {
	args := make([]any, 0, columns*rowsAtOnce)
	for len(group) > 0 {
		n, query := rowsAtOnce, insertMany
		if len(group) < n {
			n, query = 1, insertOne
		}
		args = args[:0]
		for _, w := range group[:n] {
			e := &w.entry
			e.Seq, e.At = h.Seq+1, l.now().UTC().Truncate(time.Millisecond)
			text := append(encodeHead(make([]byte, 0, 64+len(w.tail)), e.Seq, e.At), w.tail...)
			h = head{Seq: e.Seq, MAC: l.signer.sign(h.MAC, text)}
			args = append(args, e.Seq, db.Millis(e.At), column(e.Actor.String()), column(string(e.Action)), column(e.Tool), string(text), h.MAC)
		}
		if err := tx.exec(ctx, query, args...); err != nil {
			return head{}, err
		}
		group = group[n:]
	}
	return h, nil
}
