package main

import (
	"context"
	"os"
	"time"

	"golang.org/x/sync/errgroup"
)

// reloadPoll is how often files that may change are looked at. Reading small files costs
// nothing, and content, unlike times and names, shows every way of replacing them.
const reloadPoll = 10 * time.Second

// reloadLoop looks at the files that may change while the proxy runs. Certificate and
// keys, which programs replace, it reads regularly; the configuration, which people write,
// only when it is told to by SIGHUP, because half a file may be a whole configuration.
func (a *app) reloadLoop(ctx context.Context, hangUp <-chan os.Signal, g *errgroup.Group) {
	tick := time.NewTicker(reloadPoll)
	defer tick.Stop()
	refused := "" // why the key file as it is now is not in force; logged once
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-hangUp:
			if a.reread != nil {
				a.reloadConfig(ctx, g)
			}
		}
		if a.certificate != nil {
			a.certificate.reload()
		}
		refused = a.reloadKeys(refused)
	}
}

// reloadKeys takes new sealing keys into use, and returns what keeps it from that.
func (a *app) reloadKeys(refused string) string {
	changed, err := a.current.Load().ring.Reload()
	switch {
	case err != nil && err.Error() != refused:
		a.metrics.reloads.WithLabelValues("keys", "failed").Inc()
		a.log.Error("key file changed and cannot be used: the former keys stay in force", "error", err)
	case changed:
		a.metrics.reloads.WithLabelValues("keys", "ok").Inc()
		a.log.Info("sealing keys reloaded")
	}
	if err != nil {
		return err.Error()
	}
	return ""
}
