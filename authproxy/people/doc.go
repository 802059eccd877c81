// Package people keeps who signed in with the company: what its identity provider last said of
// each person, the browsers that are signed in as them, and which Salesforce users are the same
// human.
//
// # Roles
//
// A person's roles follow, with every request, from what the provider last said and from the
// present configuration (company.SignIn.Roles), so a role that is taken away in the
// configuration is gone with the next request. What the provider said counts for Config.MaxAge;
// then the person has no role until the provider was asked again, which a browser does
// by itself where the provider needs no page for it ([Person.Stale]). Whoever opens a call to decide
// about it is asked of already at half that time ([Person.Aging]), so that what they agree to can be
// done for the other half at least. While the provider is down nobody has a role by it; the command
// line needs none.
//
// # One human
//
// A human is named by issuer and subject ([Person.Human]). A Salesforce user who linked the two
// sign-ins, in one browser that was signed in as both, by a form of ours, is that human, and
// counts once with approvals ([Store.HumanOf]). A link is made by the person and taken away by an
// operator alone: without it the same human would count twice.
//
// # Storage
//
// Rows carry a MAC (package db): whoever writes into the database without the keys signs nobody
// in, gives nobody a group, and links nobody. Session ids are stored as their SHA-256.
package people
