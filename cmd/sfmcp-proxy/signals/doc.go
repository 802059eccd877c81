// Package signals counts, for Prometheus, what becomes of calls: decisions, how calls ended,
// what Salesforce took for its answers, what the audit log cost and how far it is behind.
//
// [New] registers everything with a registry. What happens is told to [Signals] by the parts
// that do it: it is an [audit.Watcher] of the audit log, so that whatever is recorded is counted
// in the same breath and by the same words; [Signals.Answered] hears of MCP requests of clients,
// [Signals.Sent] of those to Salesforce, [Signals.Decided] of people's decisions. What has a state
// is asked for it when somebody reads the metrics: [Signals.Stored] for what lies in the database.
//
// # Labels
//
// A label has few values, all from our own tables and the configuration: never a user, a client,
// a tool, a path or an address. Whatever else stands in the place of one is counted as "other", so
// that nobody outside can make the number of series grow (authproxy/THREATS.md, AD-14).
//
// The names of operations of MCP are those of OpenTelemetry's conventions for MCP, in Prometheus's
// spelling: mcp_server_operation_duration_seconds, mcp_client_operation_duration_seconds. The page
// examples/handbook/metrics.md has all names of the program, with what they mean.
//
// Counters are of this process and begin at 0 with it. What commands do on the same database is in
// the audit log and is not counted here.
package signals
