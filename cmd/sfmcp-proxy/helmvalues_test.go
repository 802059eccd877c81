package main

import (
	"strings"
	"testing"
)

// What cannot be is refused when it is rendered, by a sentence that names the value.
func TestHelmRefusesWrongValues(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]string{
		"image.tag=latest":                                         "/image/tag",
		"image.tga=1":                                              "'tga' not allowed",
		"replicas=2":                                               "/config/database", // on SQLite
		"config.audit.dir=database":                                "/config/database", // on SQLite
		"config.audit.dir=/somewhere":                              "/config/audit/dir",
		"config.listen=0.0.0.0:1":                                  "/config/listen",
		"config.public_url=http://x.test":                          "/config/public_url",
		"existingSecrets.sealingKeys.name=":                        "/existingSecrets/sealingKeys/name",
		"config.salesforce.orgs[0].client_secret=abc":              "client_secret",
		"ingress.enabled=true":                                     "/ingress",
		"podDisruptionBudget.maxUnavailable=0":                     "/podDisruptionBudget/maxUnavailable",
		helmPostgres:                                               "networkPolicy.database.to is empty",
		"config.database=postgres://proxy:word@db.example.com/own": "/config/database",
		"config.database=postgres://p@db.test/own?password=word":   "/config/database",
		"config.console.providers[0].client_secret=abc":            "/config/console/providers/0",
		"config.approvals.notify[0].url=https://hooks.test/abc":    "/config/approvals/notify/0",
		"config.exports[0].kind=webhook,config.exports[0].url=x":   "/config/exports/0",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			out, said, err := helm(t, append(append([]string{"template", "proxy", chartDir}, values("minimal")...), "--set", set)...)
			if err == nil || !strings.Contains(said, want) {
				t.Errorf("%v, want %q: %s%s", err, want, said, out)
			}
		})
	}
}

// helmPostgres sets a database elsewhere.
const helmPostgres = "config.database=postgres://proxy@db.example.com/proxy?sslmode=verify-full"

// What renders a pod that does not start, that something is cut off from, or that everybody reaches, is refused. A value
// that is null is as one that is left out: of a peer that would be everybody.
func TestHelmRefusesWhatWouldNotStart(t *testing.T) {
	t.Parallel()
	for set, want := range map[string]string{
		"config.database=null":                                  "/config/database",
		"config.database=sqlite:/data/audit/x.db":               "/config/database",
		"config.database=sqlite:/data/../etc/x.db":              "/config/database",
		"config.production=null":                                "'production'",
		"config.trusted_proxies=":                               "/config/trusted_proxies",
		"config.trusted_proxies=[]":                             "config.trusted_proxies and config.tls are empty",
		"config.policies_dir=policies":                          "config.policies_dir is a folder that a pod does not have",
		"config.policies[0].mode=shadow":                        "is shadow, and config.production is true",
		"config.database=postgres://proxy@db.example.com/proxy": "without sslmode=verify-full",
		helmPostgres + ",config.audit.dir=database":             "config.audit.checkpoints is empty",
		helmPostgres + "&passfile=/etc/pgpass":                  "passfile of config.database is /etc/pgpass, which a pod does not have",
		helmPostgres + "&passfile=%2Frun%2Fsecrets%2Fdb%2Fpw":   "existingSecrets.files does not name the Secret db",
		"config.trusted_ca_file=/run/secrets/ca/ca.crt":         "existingSecrets.files does not name the Secret ca",
		"config.trusted_ca_file=/etc/ca.crt":                    "trusted_ca_file is /etc/ca.crt, which a pod does not have",
		"existingSecrets.files=null":                            "existingSecrets.files does not name the Secret salesforce",
		"config.audit.checkpoints[0].file=/mnt/checkpoint":      "config.audit.checkpoints has the file /mnt/checkpoint",
		"config.exports[0].path=/var/log/x":                     "/data/NAME",
		"image.repository=registry.example.com/proxy:1":         "/image/repository",
		"networkPolicy=null":                                    "'networkPolicy'",
		"networkPolicy.enabled=null":                            "'enabled'",
		"networkPolicy.ingress=null":                            "'ingress'",
		"networkPolicy.dns=null":                                "'dns'",
		"networkPolicy.https=null":                              "'https'",
		"networkPolicy.more[0].port=587":                        "/networkPolicy/more/0",
		"config.approvals.mail.address=smtp.example.com:587":    "config.approvals.mail.address goes to smtp.example.com at port 587",
		"config.exports[0].address=logs.example.com:6514":       "at port 6514",
		"config.telemetry.otlp_endpoint=http://otel.test:4318":  "config.telemetry.otlp_endpoint goes to otel.test at port 4318",
		"config.console.oidc.issuer=https://idp.test:8443/a":    "goes to idp.test at port 8443",
		"config.outbound_proxy=http://me@proxy.test:3128":       "config.outbound_proxy goes to proxy.test at port 3128",
		"podLabels.app\\.kubernetes\\.io/name=other":            "podLabels has app.kubernetes.io/name",
		"podLabels.team=two words":                              "/podLabels/team",
		"podAnnotations.checksum/config=x":                      "podAnnotations has checksum/config",
		"goMemLimit=1GiB":                                       "goMemLimit 1GiB is not below resources.limits.memory 512Mi",
		"service.port=null":                                     "'port'",
		"shutdownDelaySeconds=null":                             "'shutdownDelaySeconds'",
	} {
		t.Run(set, func(t *testing.T) {
			t.Parallel()
			flag := "--set"
			if strings.HasSuffix(set, "=[]") {
				flag = "--set-json"
			}
			out, said, err := helm(t, append(append([]string{"template", "proxy", chartDir}, values("minimal")...), flag, set)...)
			if err == nil || !strings.Contains(said, want) {
				t.Errorf("%v, want %q: %s%s", err, want, said, out)
			}
		})
	}
}

// What the configuration goes to is let out by the values that say where it is, at the ports that the configuration names.
func TestHelmLetsOutWhatValuesName(t *testing.T) {
	t.Parallel()
	peers := func(key string, port string) string {
		return key + ".to[0].ipBlock.cidr=10.5.6.7/32," + key + ".port=" + port
	}
	const database = "networkPolicy.database.to[0].ipBlock.cidr=10.9.8.7/32"
	for name, tt := range map[string]struct {
		set    []string
		egress []any
	}{
		"mail and syslog": {[]string{"config.approvals.mail.address=smtp.example.com:587", "config.exports[0].name=siem,config.exports[0].address=logs.example.com:6514",
			peers("networkPolicy.more[0]", "587"), peers("networkPolicy.more[1]", "6514")}, []any{53, 53, 443, 587, 6514}},
		"a forward proxy for all but one": {[]string{"config.outbound_proxy=http://me@proxy.test:3128,config.console.oidc.issuer=https://idp.test:8443",
			"config.telemetry.otlp_endpoint=http://otel.inside.test:4318,config.outbound_proxy_except={.inside.test}",
			peers("networkPolicy.https[0]", "3128"), peers("networkPolicy.more[0]", "4318")}, []any{53, 53, 3128, 4318}},
		"a collector beside it":         {[]string{"config.telemetry.otlp_endpoint=http://127.0.0.1:4318"}, []any{53, 53, 443}},
		"the usual port":                {[]string{helmPostgres, database}, []any{53, 53, 5432, 443}},
		"the port of the database":      {[]string{"config.database=postgres://proxy@db.test:6432/proxy?sslmode=verify-full", database}, []any{53, 53, 6432, 443}},
		"two servers":                   {[]string{`config.database=postgres://proxy@one.test:5433\,two.test/proxy?sslmode=verify-full`, database}, []any{53, 53, 5433, 5432, 443}},
		"a port among the parameters":   {[]string{"config.database=postgres://proxy@db.test/proxy?port=6432&sslmode=verify-full", database}, []any{53, 53, 6432, 443}},
		"another port behind a Service": {[]string{helmPostgres, database, "networkPolicy.database.port=6543"}, []any{53, 53, 5432, 6543, 443}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := values("minimal")
			for _, set := range tt.set {
				args = append(args, "--set", set)
			}
			all, _ := render(t, args...)
			reachesLittle(t, all["NetworkPolicy proxy"], tt.egress)
		})
	}
}
