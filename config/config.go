package config

import (
	"time"

	"sfmcp-proxy/authproxy/policy"
	"sfmcp-proxy/authproxy/policy/reach"
	"sfmcp-proxy/authproxy/seal"
)

// Config is the whole configuration. The tag mapstructure names the key in the
// file; the tag need says what the file may not leave empty once it names the key.
type Config struct {
	PublicURL   string `mapstructure:"public_url" need:"value"`
	Listen      string `mapstructure:"listen" need:"value"`
	AdminListen string `mapstructure:"admin_listen" need:"value"`
	// AdminListenOpen says that admin_listen may be reached from other machines.
	AdminListenOpen bool `mapstructure:"admin_listen_open"`
	// ShutdownDelay is for how long a process that is told to end still takes requests, while /readyz says that
	// it wants no more: until whatever sends them has noticed.
	ShutdownDelay time.Duration `mapstructure:"shutdown_delay" need:"value"`

	TLS            TLS      `mapstructure:"tls"`
	TrustedProxies []string `mapstructure:"trusted_proxies"`
	AllowedOrigins []string `mapstructure:"allowed_origins"`
	TrustedCAFile  string   `mapstructure:"trusted_ca_file"`

	// The forward proxy to Salesforce and identity providers, http://USER@HOST:PORT; its
	// password, which is not part of it; and hosts that are reached without it.
	OutboundProxy             string   `mapstructure:"outbound_proxy" secret:"password"`
	OutboundProxyPassword     string   `mapstructure:"outbound_proxy_password" secret:"yes"`
	OutboundProxyPasswordFile string   `mapstructure:"outbound_proxy_password_file"`
	OutboundProxyExcept       []string `mapstructure:"outbound_proxy_except"`

	Database string `mapstructure:"database" need:"value" secret:"password"` // sqlite:PATH or postgres://…; the password, if any, is not shown
	KeysFile string `mapstructure:"keys_file" need:"value"`
	// KeysFrom says where the sealing keys are, beside which file or not: a value of [seal.Source].
	KeysFrom   string     `mapstructure:"keys_from" need:"value"`
	KeyService KeyService `mapstructure:"key_service"`
	Contact    string     `mapstructure:"contact"`
	Production bool       `mapstructure:"production"`
	// Definitions says what becomes of a hosted server's first list: [AcceptFirst] or [Review].
	Definitions string `mapstructure:"definitions" need:"value"`

	Salesforce Salesforce `mapstructure:"salesforce"`
	Servers    []Server   `mapstructure:"servers" need:"value"`
	Groups     []Group    `mapstructure:"groups"`
	Policies   []Policy   `mapstructure:"policies" need:"value"`
	// PoliciesDir is a folder of policies beside these, each in a file NAME.yaml of its own;
	// once the configuration is read, Policies holds them all.
	PoliciesDir string `mapstructure:"policies_dir"`
	// PoliciesNeedReplay: a reload takes another policy into force only after 'policy replay'
	// has held it against the log.
	PoliciesNeedReplay bool         `mapstructure:"policies_need_replay"`
	Calendars          []Calendar   `mapstructure:"calendars"`
	Clients            []Client     `mapstructure:"clients"`
	Registration       Registration `mapstructure:"registration"`
	Lifetimes          Lifetimes    `mapstructure:"lifetimes"`
	Lifecycle          Lifecycle    `mapstructure:"lifecycle"`
	Limits             Limits       `mapstructure:"limits"`
	Audit              Audit        `mapstructure:"audit"`
	Exports            []Export     `mapstructure:"exports"`
	Approvals          Approvals    `mapstructure:"approvals"`
	Console            Console      `mapstructure:"console"`
	Telemetry          Telemetry    `mapstructure:"telemetry"`

	partial bool     // it was read by [LoadPart]
	files   string   // digest of the secrets that are read once and not kept here, see digestFiles
	origins *origins // where each key was set, see WriteOrigins
}

// What becomes of what a hosted server lists first. Later changes wait for a person.
const (
	AcceptFirst = "accept_first" // it is accepted
	Review      = "review"       // it waits for a person, too
)

// KeyService encrypts the sealing keys where they are stored.
type KeyService struct {
	// Kind is [AWSKMS] or [PKCS11]; empty: nothing encrypts them.
	Kind string `mapstructure:"kind"`
	// Key is an ARN, id or alias of AWS KMS, or the label of a key in a token.
	Key string `mapstructure:"key"`

	// Of AWS KMS.
	Region   string `mapstructure:"region"`
	Endpoint string `mapstructure:"endpoint"`

	// Of a token: its library, its label and the file with its PIN.
	Module  string `mapstructure:"module"`
	Token   string `mapstructure:"token"`
	PINFile string `mapstructure:"pin_file"`
}

// Kinds of key services.
const (
	AWSKMS = "aws-kms" // a key of AWS KMS
	PKCS11 = "pkcs11"  // a key of a token that speaks PKCS #11
)

// TLS names the certificate of the public listener; both files or none.
type TLS struct {
	CertFile string `mapstructure:"cert_file"`
	KeyFile  string `mapstructure:"key_file"`
}

// Salesforce lists the orgs that users may sign in to.
type Salesforce struct {
	Orgs []Org `mapstructure:"orgs" need:"value"`
}

// Org is one Salesforce org and our External Client App in it.
type Org struct {
	Name             string   `mapstructure:"name" need:"value"`
	LoginURL         string   `mapstructure:"login_url" need:"value"`
	OrgID            string   `mapstructure:"org_id" need:"value"`
	ClientID         string   `mapstructure:"client_id" need:"value"`
	ClientSecret     string   `mapstructure:"client_secret" secret:"yes"`
	ClientSecretFile string   `mapstructure:"client_secret_file"`
	Scopes           []string `mapstructure:"scopes" need:"value"`
	Issuer           string   `mapstructure:"issuer"`
	JWKSURL          string   `mapstructure:"jwks_url"`
	InsecureHTTP     bool     `mapstructure:"insecure_http"`
	// Kind is production, sandbox or scratch; empty: what login_url and upstream say.
	Kind string `mapstructure:"kind"`
	// AllowHosts are hosts, with their port if it is not 443, that login_url, issuer, jwks_url
	// and upstream may name beside Salesforce's own.
	AllowHosts []string `mapstructure:"allow_hosts"`
	// DailyCalls is how many requests of clients are sent there in a day (UTC) at most; 0: no
	// limit but Salesforce's.
	DailyCalls int `mapstructure:"daily_calls"`
}

// Server is one MCP endpoint of ours in front of one hosted MCP server.
type Server struct {
	Name        string        `mapstructure:"name" need:"value"`
	Title       string        `mapstructure:"title"`
	Description string        `mapstructure:"description"`
	Org         string        `mapstructure:"org" need:"value"`
	Upstream    string        `mapstructure:"upstream" need:"value"`
	Timeout     time.Duration `mapstructure:"timeout" need:"time"`
	Policy      string        `mapstructure:"policy" need:"value"`
	Groups      []string      `mapstructure:"groups"`
	// Of all users together; 0: no limit but that of each user.
	CallsPerMinute  int `mapstructure:"calls_per_minute"`
	ConcurrentCalls int `mapstructure:"concurrent_calls"`
	// What tools of a custom server do, whose names say nothing.
	Declare []reach.Declaration `mapstructure:"declare"`
	// What the hosted server may ask of a client: sampling, elicitation, roots.
	ServerRequests []string `mapstructure:"server_requests"`
}

// Group names users; Members are Salesforce user ids or usernames.
type Group struct {
	Name    string   `mapstructure:"name" need:"value"`
	Members []string `mapstructure:"members" need:"value"`
}

// Policy is a list of rules; the first that matches decides, none denies. A key of a rule
// that is present may not be empty: an empty list would mean "nothing" to its writer and
// "anything" to a careless reader.
type Policy struct {
	Name    string          `mapstructure:"name" need:"value"`
	Mode    string          `mapstructure:"mode" need:"value"`
	Rules   []policy.Rule   `mapstructure:"rules" need:"list"`
	Budgets []policy.Budget `mapstructure:"budgets"`
	// Taint is how long rules with after match.
	Taint time.Duration `mapstructure:"taint" need:"time"`
}

// Calendar names times, for during("NAME") in the condition of a rule.
type Calendar struct {
	Name     string   `mapstructure:"name" need:"value"`
	TimeZone string   `mapstructure:"time_zone" need:"value"`
	Weekly   []string `mapstructure:"weekly" need:"value"` // "Mon-Fri 08:00-18:00"
	Dated    []string `mapstructure:"dated" need:"value"`  // "2026-12-20 to 2027-01-06"
}

// Client is a user-defined OAuth client.
type Client struct {
	ID           string   `mapstructure:"id" need:"value"`
	Name         string   `mapstructure:"name" need:"value"`
	RedirectURIs []string `mapstructure:"redirect_uris" need:"value"`
	// Server is the one server that the client is for; empty: it names one with each
	// authorization (RFC 8707).
	Server string `mapstructure:"server"`
}

// Registration says which clients may register themselves.
type Registration struct {
	MetadataDocuments MetadataDocuments `mapstructure:"metadata_documents"`
	Dynamic           Dynamic           `mapstructure:"dynamic"`
}

// MetadataDocuments configures Client ID Metadata Documents: the hosts that may publish
// a client, special-use networks that may be reached for it all the same, and the DNS
// server to ask (empty: the system's).
type MetadataDocuments struct {
	AllowHosts     []string `mapstructure:"allow_hosts"`
	AllowAddresses []string `mapstructure:"allow_addresses"`
	Resolver       string   `mapstructure:"resolver"`
	// UseOutboundProxy fetches them through outbound_proxy, which then resolves their hosts.
	UseOutboundProxy bool `mapstructure:"use_outbound_proxy"`
}

// Dynamic configures dynamic client registration (RFC 7591).
type Dynamic struct {
	Enabled bool `mapstructure:"enabled"`
	// PrivateUseURIs may be registered beside https and loopback URIs, exactly as they are
	// written here: redirect URIs with a program's own scheme (RFC 8252 7.1).
	PrivateUseURIs []string `mapstructure:"private_use_uris"`
}

// Lifetimes of what the proxy issues or keeps.
type Lifetimes struct {
	Code            time.Duration `mapstructure:"code" need:"value"`
	AccessToken     time.Duration `mapstructure:"access_token" need:"value"`
	RefreshIdle     time.Duration `mapstructure:"refresh_idle" need:"value"`
	RefreshAbsolute time.Duration `mapstructure:"refresh_absolute" need:"value"`
	RefreshGrace    time.Duration `mapstructure:"refresh_grace" need:"value"`
	Consent         time.Duration `mapstructure:"consent" need:"value"`
	Approval        time.Duration `mapstructure:"approval" need:"value"`
	Session         time.Duration `mapstructure:"session" need:"value"`
}

// Lifecycle says what becomes of clients that nobody uses; 0: nothing.
type Lifecycle struct {
	// HideAfter is when lists leave them out, EndAfter when all their connections end.
	HideAfter time.Duration `mapstructure:"hide_after" need:"value"`
	EndAfter  time.Duration `mapstructure:"end_after" need:"value"`
}

// Audit configures the audit log of this replica.
type Audit struct {
	// Dir is its folder; empty in the file: "audit" beside the file of a SQLite database, or
	// data/audit. AuditInDatabase: it has none.
	Dir string `mapstructure:"dir" need:"value"`
	// Keep is how long entries are kept at least.
	Keep time.Duration `mapstructure:"keep" need:"value"`
	// Checkpoints are the places to which signed checkpoints go, and CheckpointEvery how often
	// at least while the log grows.
	Checkpoints     []Checkpoint  `mapstructure:"checkpoints"`
	CheckpointEvery time.Duration `mapstructure:"checkpoint_every" need:"value"`
}

// Checkpoint is one place: exactly one of File, URL, S3 and Witness. A File or URL that ends
// in a slash is a folder in which each replica has a file of its own.
type Checkpoint struct {
	File      string `mapstructure:"file" need:"value"`
	URL       string `mapstructure:"url" need:"value"`
	TokenFile string `mapstructure:"token_file" need:"value"` // bearer token for URL
	S3        S3     `mapstructure:"s3"`
	Witness   string `mapstructure:"witness" need:"value"`
	Key       string `mapstructure:"key" need:"value"` // verifier key of Witness
}

// S3 is a bucket of S3 or of what speaks its protocol.
type S3 struct {
	Bucket         string `mapstructure:"bucket" need:"value"`
	Region         string `mapstructure:"region" need:"value"`
	Endpoint       string `mapstructure:"endpoint" need:"value"` // empty: Amazon's for Region
	Prefix         string `mapstructure:"prefix" need:"value"`   // of the objects' names
	AccessKeyID    string `mapstructure:"access_key_id" need:"value"`
	SecretKeyFile  string `mapstructure:"secret_key_file" need:"value"`
	ObjectLock     string `mapstructure:"object_lock" need:"value"` // governance or compliance; empty: as the bucket has it
	ObjectLockDays int    `mapstructure:"object_lock_days" need:"value"`
}

// Approvals configures calls that wait for a person.
type Approvals struct {
	// Wait is how long the first answer to a call that waits for a person is held back for a
	// quick decision; 0: not at all.
	Wait time.Duration `mapstructure:"wait" need:"value"`
	// KeepArguments is how long after a decision the arguments of the call are kept, for
	// people to look at; 0: as long as anything can come of it.
	KeepArguments time.Duration `mapstructure:"keep_arguments" need:"value"`
	// Notify are the targets of notices about what waits, and Mail the server for those by mail.
	Notify []Notify `mapstructure:"notify"`
	Mail   Mail     `mapstructure:"mail"`
	// Escalate is that of rules that ask a role and say none.
	Escalate Escalate `mapstructure:"escalate"`
}

// Escalate is a [policy.Escalation]. Without To there is none.
type Escalate struct {
	After time.Duration `mapstructure:"after"`
	To    string        `mapstructure:"to"`
}

// Limits of one call, of one user, and of the public listener.
type Limits struct {
	RequestBytes    Bytes `mapstructure:"request_bytes" need:"value"`
	ResponseBytes   Bytes `mapstructure:"response_bytes" need:"value"`
	CallsPerMinute  int   `mapstructure:"calls_per_minute" need:"value"`
	ConcurrentCalls int   `mapstructure:"concurrent_calls" need:"value"`
	Connections     int   `mapstructure:"connections" need:"value"`
}

// Console configures the company's sign-in, and who holds which role.
type Console struct {
	// OIDC is the company's identity provider, Providers are more of them.
	OIDC      OIDC   `mapstructure:"oidc"`
	Providers []OIDC `mapstructure:"providers"`
	Roles     []Role `mapstructure:"roles"`
	// RolesMaxAge is how long what a provider said of a person gives them roles.
	RolesMaxAge time.Duration `mapstructure:"roles_max_age" need:"value"`
	// SessionIdle is how long a company sign-in lasts without a request.
	SessionIdle time.Duration `mapstructure:"session_idle" need:"value"`
}

// OIDC is an identity provider and the client that this proxy is there.
type OIDC struct {
	Name             string   `mapstructure:"name"` // for people; empty: the issuer's host
	Issuer           string   `mapstructure:"issuer"`
	ClientID         string   `mapstructure:"client_id"`
	ClientSecret     string   `mapstructure:"client_secret" secret:"yes"`
	ClientSecretFile string   `mapstructure:"client_secret_file"`
	Scopes           []string `mapstructure:"scopes"` // beside openid
	// GroupsClaim is the claim that lists a person's groups; empty: groups are not read.
	GroupsClaim string `mapstructure:"groups_claim"`
	// ACR is the way of signing in that counts where a rule says step_up; empty: none does.
	ACR string `mapstructure:"acr"`
}

// Role gives a role to people: to whoever is any of these, at one provider.
type Role struct {
	Role string `mapstructure:"role" need:"value"`
	// Issuer is that of the provider; empty: the only one.
	Issuer   string   `mapstructure:"issuer" need:"value"`
	Subjects []string `mapstructure:"subjects" need:"value"`
	Groups   []string `mapstructure:"groups" need:"value"`
	// Emails count only where the provider says that it has verified them.
	Emails []string `mapstructure:"emails" need:"value"`
}

// defaults holds the value of every key that has one. Viper reads an environment
// variable only for a key it knows, so keys without a default of their own are
// listed with their zero value.
var defaults = map[string]any{
	"public_url":                   "",
	"listen":                       "127.0.0.1:8080",
	"admin_listen":                 "127.0.0.1:9090",
	"admin_listen_open":            false,
	"shutdown_delay":               "0s",
	"tls.cert_file":                "",
	"tls.key_file":                 "",
	"trusted_proxies":              []string{},
	"allowed_origins":              []string{},
	"trusted_ca_file":              "",
	"outbound_proxy":               "",
	"outbound_proxy_password":      "",
	"outbound_proxy_password_file": "",
	"outbound_proxy_except":        []string{},
	"database":                     "sqlite:data/proxy.db",
	"keys_file":                    "data/keys",
	"keys_from":                    seal.FromFile,
	"key_service.kind":             "",
	"key_service.key":              "",
	"key_service.region":           "",
	"key_service.endpoint":         "",
	"key_service.module":           "",
	"key_service.token":            "",
	"key_service.pin_file":         "",
	"contact":                      "",
	"production":                   false,
	"definitions":                  AcceptFirst,
	"telemetry.otlp_endpoint":      "",
	"telemetry.sample":             1.0,
	"policies_dir":                 "",
	"policies_need_replay":         false,

	"registration.metadata_documents.allow_hosts":        []string{},
	"registration.metadata_documents.allow_addresses":    []string{},
	"registration.metadata_documents.resolver":           "",
	"registration.metadata_documents.use_outbound_proxy": false,
	"registration.dynamic.enabled":                       false,
	"registration.dynamic.private_use_uris":              []string{},

	"lifetimes.code":               "60s",
	"lifetimes.access_token":       "15m",
	"lifetimes.refresh_idle":       "720h",
	"lifetimes.refresh_absolute":   "2160h",
	"lifetimes.refresh_grace":      "2m",
	"lifetimes.consent":            "10m",
	"lifetimes.approval":           "15m",
	"lifetimes.session":            "12h",
	"lifecycle.hide_after":         "720h",
	"lifecycle.end_after":          "1440h",
	"approvals.wait":               "0s",
	"approvals.keep_arguments":     "168h",
	"approvals.mail.address":       "",
	"approvals.mail.tls":           "starttls",
	"approvals.mail.username":      "",
	"approvals.mail.password_file": "",
	"approvals.mail.from":          "",
	"approvals.escalate.after":     "0s",
	"approvals.escalate.to":        "",

	"audit.dir":              "",
	"audit.keep":             "9600h",
	"audit.checkpoint_every": "10s",

	"limits.request_bytes":    "1MiB",
	"limits.response_bytes":   "16MiB",
	"limits.calls_per_minute": 120,
	"limits.concurrent_calls": 16,
	"limits.connections":      4096,

	"console.oidc.issuer":             "",
	"console.oidc.client_id":          "",
	"console.oidc.client_secret":      "",
	"console.oidc.client_secret_file": "",
	"console.oidc.name":               "",
	"console.oidc.scopes":             []string{},
	"console.oidc.groups_claim":       "",
	"console.oidc.acr":                "",
	"console.roles_max_age":           "15m",
	"console.session_idle":            "1h",
}

// Defaults of list members, which viper cannot hold.
const defaultTimeout = 60 * time.Second

var defaultScopes = []string{"mcp_api", "refresh_token"}
