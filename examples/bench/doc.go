// Command bench measures what a call through sfmcp-proxy costs, beside the cheapest
// thing that could stand in its place: Go's own httputil.ReverseProxy, which forwards
// bytes and decides nothing.
//
//	go run ./examples/bench            # about ten minutes
//	go run ./examples/bench -quick     # a first look, about one
//
// -only runs one scenario, -binary measures a program that was built before, and -beside
// measures further builds along in the same rounds, which tells what a change does also where
// the machine is not quiet. -cpuprofile writes a profile of sfmcp-proxy, which is then the test
// binary: the program itself has no such thing.
//
// # Method
//
// Every party is a process of its own on this machine: a stub upstream that speaks
// Salesforce's MCP session protocol and gives fixed answers, the bare reverse proxy,
// sfmcp-proxy, and a load generator that writes and reads HTTP/1.1 itself, so that it
// takes little of the CPU that is measured. sfmcp-proxy is the product as it is served:
// built from this tree, started with a configuration file, on a SQLite file on disk, with
// everything on: access tokens, a policy of 20 rules with SOQL read for the objects that
// they name, two audit entries a call of which the first is on disk before the call is
// forwarded, limits per user (raised, so that they count and do not refuse), a sealed
// Salesforce token for every user. Users, Salesforce logins and grants are made through
// the product's own stores; the tokens of both kinds are real to it.
//
// The bare proxy gets the tuned transport that 32 connections need; with Go's default it
// would keep two connections and lose by far. It is given no pool of buffers, as a proxy
// of three lines has none.
//
// Between the two stands a relay that does what sfmcp-proxy cannot do without, and nothing
// else: it reads a request whole, has the intent on disk with the product's own audit log,
// sends the request, records the outcome and answers. It knows no tokens, reads no message
// and has no policy.
//
// A round measures each party after the other, and rounds repeat, so that what else the
// machine does meets all of them. A figure is the median of its rounds. CPU is user and
// system time of the proxy's process alone, from /proc/PID/stat, between the end of the
// warm-up and the last answer; memory is VmRSS. "idle" is the CPU of a product that was just
// started and is asked for nothing. Latency under load is measured at 70 % of
// what the bare proxy reaches, with requests sent on a schedule and timed from the moment
// they were due, so that a slow answer does not hide those that waited behind it.
//
// # Reading it
//
// "req/s" is the throughput of the whole chain on this machine: load, proxy, upstream. It
// depends on the machine; the ratio to the bare proxy of the same run much less. "CPU µs"
// is what one request costs in the proxy's process. Ratios: req/s higher is better, 1.00
// is as fast as bare; CPU, p50 and p99 lower is better. A ratio is of the medians; behind it, in
// brackets, stand those of the rounds in which it was least and most. On a disk whose fsync is slow, one connection is
// bound by it (two are never waited for at once), and 32 share each one.
//
// The relay says what of that is the product's own. Its cost is the price of Go's net/http on
// both sides and of a durable log, which a program of this kind in Go hardly goes below;
// what sfmcp-proxy costs more is the price of deciding: token, grant, message, policy,
// limits, Salesforce's session and token, the request's log line.
//
// "lost" counts answers that broke off, and of other proxies those that were not the answer
// to the call: an error, a refusal, something else. One of sfmcp-proxy ends the run. Go's ReverseProxy streams the request body, and
// under load an answer that comes before it has read the end of that body is cut off now
// and then. sfmcp-proxy reads the message whole before it decides, and loses none.
//
// "flatness" is the cost of a call with much in the tables divided by that with little:
// 1.00 says that grants or rules which a call does not concern cost it nothing.
//
// # Others beside a flood
//
// 50 users make 100 calls a second together, by the clock, while one more user asks for as
// much as he can. First of a product with the default limits, so that he is refused: on 64
// connections as fast as he is answered, at 1,000 calls a second, and with 200 calls at a
// time that do not end. Then of products that let him: 16 at a time, or all 64. What is
// measured is how long the others wait, to the same round without him.
//
// A flood comes from another machine, so its load generator runs at the lowest priority and
// takes the CPU that nobody else asks for; but it takes all of that, and so do the stub and
// what serves him. "elsewhere" tells how much of it is the machine's doing: there he floods
// the bare proxy while the others use sfmcp-proxy. "proxy's CPU" is of one processor, for him
// and the others together; "µs for one" is what one of his answers adds to it. The latency
// of few calls varies much more than what a call costs: the p99 of a short round is its
// slowest call or two, so judge it only on an idle machine, with -duration 10s.
//
// # Other proxies
//
// SFMCP_BENCH_NGINX, SFMCP_BENCH_HAPROXY, SFMCP_BENCH_TOOLHIVE (its vmcp),
// SFMCP_BENCH_OPEN_MCP_AUTH_PROXY and SFMCP_BENCH_TBXARK each name a binary. Their
// configuration is written in peers.go: as little as they can do, nobody authenticated where
// that is possible, nothing audited. They forward the same calls to the same stub, and have
// to answer one well before they are measured. What is not named is reported as absent.
//
// They do not do the same work, and the figures say what each costs, not which is the better
// program. nginx and haproxy forward bytes. ToolHive and mcp-proxy read the messages and make
// calls of their own; open-mcp-auth-proxy verifies a token and a scope. None of them writes
// to a disk before it forwards, judges arguments, or seals a user's token of its own.
package main
