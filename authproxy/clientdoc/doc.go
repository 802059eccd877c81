// Package clientdoc reads how OAuth clients describe themselves: Client ID Metadata
// Documents, the key sets that these name, and the metadata of a dynamic registration
// (RFC 7591 2).
//
// A client identifier that is an https URL is a document's address. Whoever starts an
// authorization chooses it, so [Fetcher] is the guard between whoever that is and the
// networks that this process reaches: a host must be on the operator's list, and the
// address is checked when it is dialed, after the name was resolved, so that no answer
// of a name server leads into a special-use network (RFC 6890). Nothing but a 200 with
// JSON of a few KiB within a few seconds counts; no redirect is followed, no proxy of
// the environment is used, and that of the configuration only where it says so for
// documents (see DESIGN.md of authproxy for what cannot be checked then); nothing is
// decompressed. Failures are remembered for a
// minute, the same URL is asked for once at a time, and so are only a few URLs.
//
// Documents are parsed strictly ([ParseDocument]): a name that occurs twice, or in
// another case than the specification's, makes the document invalid, since two readers
// could understand it differently. Members that are not known are ignored.
//
// It is a package of its own because the guard must be usable, and tested, without a
// database, and because package salesforce's client, which serves configured hosts
// that may be internal, must not be used for addresses that anybody can choose.
//
// What it does not do: keep documents, judge redirect URIs, or verify assertions: package
// client does.
package clientdoc
