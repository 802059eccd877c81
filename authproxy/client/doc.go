// Package client knows the OAuth clients (RFC 6749 2): which there are, where they may be
// redirected to, and how they prove who they are.
//
// A [Client] has come to be known in one of three ways. It is in the configuration
// ([Configured]); or its id is the URL of a document that it publishes ([Document], Client ID
// Metadata Documents); or it has registered itself ([Dynamic], RFC 7591). One lookup finds
// them all: [Store.Current] for an authorization that begins, [Store.LastKnown] for what goes
// on. What the configuration does not accept does not exist: [Store.Knows] says so without
// asking anybody, for every use of a token.
//
// The last good document of a client, and the last good key set, are in the database: all
// processes share them, and what was granted goes on when their host is down. An
// authorization begins only on a document that is current.
//
// A client is public, and authenticates with none, unless its document says that it can sign:
// then [Store.VerifyAssertion] takes private_key_jwt (RFC 7523), and a client that has once
// signed may not go on without.
//
// What clients can make us store is bounded: 10,000 registrations at a time, each forgotten
// by [Store.Sweep] 30 days after it came if it was not used, or when its last grant is deleted; if
// there is no room, the oldest unused one of the busiest source gives way at once.
// The sweep looks at table grants, which package grant owns; nothing else here does.
//
// Documents and key sets are fetched and parsed by package clientdoc, which stays apart: it
// goes to addresses that anybody can name, and its guard must be usable, and tested, without
// a database. What a registration may say is parsed there too, by the same rules.
//
// What it does not do: speak HTTP with clients, issue anything, or end grants. Package grant
// learns from it, through an interface, which clients may exist.
package client
