// Package ui owns everything a person sees or a browser stores: the pages, their
// style sheet, the security headers, the cookies and the browser sessions.
//
// A handler fills one of the page structs of pages.go and connect.go and calls [Site.Render]; there
// is no other way to HTML here. Templates are html/template files compiled into
// the program, one per page, inside one layout. Pages load nothing from elsewhere,
// have no inline style or script, and work on a narrow phone and in the dark. Two,
// the inbox and the console's overview, have a script of ours; they work without.
//
// Text that somebody else wrote (names of clients, tools and people, arguments
// of calls) passes through [Visible], so that characters made to deceive the
// reader (bidirectional overrides, zero-width characters, walls of blank lines)
// are shown as what they are. Nothing is ever shortened.
//
// A form is accepted by [Guard.Form], which refuses what another site sent, and by
// [Session.CheckCSRF] or [CheckToken], which refuse what no page of ours contained.
// [Sessions] keeps who is signed in, in the table browser_sessions, where only
// hashes of the cookies are found. [SafeReturnTo] is the only judge of where a
// browser may be sent after signing in.
//
// The package decides nothing about who may do what and knows no grant, approval
// or policy; of the product it imports db and seal alone.
package ui
