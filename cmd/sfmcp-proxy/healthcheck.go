package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"sfmcp-proxy/config"
)

// healthTime is how long a check waits: as long as what is asked may take (see ready), and
// a little for a busy machine. The check of the Dockerfile has 5 s.
const healthTime = 3 * time.Second

func healthcheckCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "healthcheck", Short: "Ask the proxy that runs here whether it is ready", Args: usageArgs(cobra.NoArgs),
		Long: `Asks /readyz of the proxy that runs with this configuration, at its admin_listen: the
database answers, and the proxy is not shutting down. With --live it asks /healthz: the
process answers. Exit status 0 if so, else 1, with what it answered instead; nothing is printed if it is well.`,
	}
	cmd.Flags().Bool("live", false, "ask only whether the process answers")
	configFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		live, err := cmd.Flags().GetBool("live")
		if err != nil {
			return err
		}
		c, err := loadConfig(cmd)
		if err = withoutAdminListen(c, err); err != nil {
			return err
		}
		return askHealth(cmd.Context(), c.AdminListen, live)
	}
	return cmd
}

// withoutAdminListen says why the configuration does not tell where to ask. Whatever else
// is wrong with it, the process that runs may have been started before. It does not return
// Problems as such: their exit status is 2, which health checks must not have.
func withoutAdminListen(c *config.Config, err error) error {
	problems, _ := errors.AsType[config.Problems](err)
	if c == nil || slices.ContainsFunc(problems, func(p config.Problem) bool { return p.Key == "admin_listen" }) {
		return fmt.Errorf("where the proxy listens cannot be read: %v", err)
	}
	return nil
}

// askHealth asks the private listener of a configuration. Addresses that stand for all of
// this machine's are asked on its loopback.
func askHealth(ctx context.Context, listen string, live bool) error {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return fmt.Errorf("admin_listen: %w", err)
	}
	switch ip, _ := netip.ParseAddr(host); {
	case host == "" || ip.IsUnspecified() && ip.Is4():
		host = "127.0.0.1"
	case ip.IsUnspecified():
		host = "::1"
	}
	path := "/readyz"
	if live {
		path = "/healthz"
	}
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	address := "http://" + net.JoinHostPort(host, port) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return fmt.Errorf("admin_listen: %w", err)
	}
	client := &http.Client{Transport: &http.Transport{}} // no proxy of the environment
	res, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("the proxy does not answer: %w", err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("the proxy is not ready: %s answers %s%s", address, res.Status, saidBy(res.Body))
	}
	return nil
}

// saidMost bounds how much of an answer is printed, in bytes.
const saidMost = 1024

// saidBy is what an answer says, in one line: why the proxy is not ready, where there is nothing else to ask it with.
func saidBy(body io.Reader) string {
	text, _ := io.ReadAll(io.LimitReader(body, saidMost)) // as much as there is
	line := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(text), ""), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }), " ")
	if line == "" {
		return ""
	}
	return ": " + line
}
