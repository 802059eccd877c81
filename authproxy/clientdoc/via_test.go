package clientdoc

import (
	"errors"
	"net"
	"net/netip"
	"testing"

	"sfmcp-proxy/authproxy/clientdoc/clientdoctest"
	"sfmcp-proxy/authproxy/tunnel"
	"sfmcp-proxy/authproxy/tunnel/tunneltest"
)

// Documents come through the forward proxy where it is named, with TLS to the host of the
// document, and what resolves into a special-use network here is not even asked for.
func TestU19DocumentsThroughForwardProxy(t *testing.T) {
	t.Parallel()
	site := clientdoctest.Start(t, "client.example", "inside.example")
	_, port, err := net.SplitHostPort(site.URL("client.example", "")[len("https://"):])
	if err != nil {
		t.Fatal(err)
	}
	nowhere, err := net.ListenPacket("udp", "127.0.0.1:0") // a name server that answers nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nowhere.Close() })
	for name, tt := range map[string]struct {
		id       string
		resolver string
		allow    bool
		asked    string // of the forward proxy
		want     error
	}{
		"resolves to an address that is allowed": {id: site.URL("client.example", "/c"), resolver: site.Resolver, allow: true, asked: "client.example:" + port},
		"resolves into a special-use network":    {id: site.URL("client.example", "/c"), resolver: site.Resolver, want: ErrBlocked},
		"is such an address":                     {id: "https://169.254.169.254/c", resolver: site.Resolver, want: ErrBlocked},
		"is this machine":                        {id: site.URL(clientdoctest.Address, "/c"), resolver: site.Resolver, want: ErrBlocked},
		"has no address here":                    {id: "https://client.example/c", resolver: nowhere.LocalAddr().String(), asked: "client.example:443"},
		"has no address here, another port":      {id: site.URL("client.example", "/c"), resolver: nowhere.LocalAddr().String(), want: ErrBlocked},
		"is an exception":                        {id: site.URL("inside.example", "/c"), resolver: site.Resolver, allow: true},
		"is an exception, and guarded":           {id: site.URL("inside.example", "/c"), resolver: site.Resolver, want: ErrBlocked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			proxy := tunneltest.Start(t, tunneltest.Config{Resolve: func(string) string { return net.JoinHostPort(clientdoctest.Address, port) }})
			c := Config{AllowHosts: []string{"client.example", "inside.example", clientdoctest.Address, "169.254.169.254"}, Resolver: tt.resolver, Roots: site.Roots,
				Via: tunnel.New(tunnel.Config{Address: proxy.Address, Except: []string{"inside.example"}})}
			if tt.allow {
				c.AllowAddresses = []netip.Prefix{netip.MustParsePrefix(clientdoctest.AddressNetwork)}
			}
			site.Publish("/c", document(tt.id))
			_, err := New(c).fetch(t.Context(), tt.id, documentLimit)
			if !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
			if asked := proxy.Asked(); tt.asked == "" && len(asked) > 0 || tt.asked != "" && (len(asked) != 1 || asked[0] != tt.asked) {
				t.Errorf("the forward proxy was asked for %q, want %q", asked, tt.asked)
			}
		})
	}
}
