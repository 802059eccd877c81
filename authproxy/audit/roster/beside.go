package roster

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Beside are the logs of other replicas that may have what the own one lacks of the time from since on: those that
// are open, and those that were closed after it began. A row that something else than the proxy changed counts, too.
// A database that is not shared has none.
func (r *Roster) Beside(ctx context.Context, since time.Time) (all []Log, err error) {
	if r == nil || !r.shared {
		return nil, nil
	}
	found, err := r.rows.all(ctx)
	origin, _ := r.own()
	for _, l := range found {
		if l.Origin != origin && (l.Closed == nil || !l.authentic || l.Closed.At.After(since)) {
			all = append(all, l.Log)
		}
	}
	return all, err
}

// namedHosts is how many machines [Hosts] names.
const namedHosts = 10

// Hosts are the machines of logs, each once, by name; of more than ten the last one says how many more there are.
func Hosts(logs []Log) (names []string) {
	for _, l := range logs {
		names = append(names, l.Host)
	}
	slices.Sort(names)
	if names = slices.Compact(names); len(names) > namedHosts {
		more := len(names) - namedHosts
		names = append(names[:namedHosts], fmt.Sprintf("%d more", more))
	}
	return names
}

// InWords lists machines in a sentence.
func InWords(hosts []string) string {
	if n := len(hosts); n > 1 {
		return strings.Join(hosts[:n-1], ", ") + " and " + hosts[n-1]
	}
	return strings.Join(hosts, "")
}
