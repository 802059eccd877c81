package authproxy

import (
	"context"
	"net/http"

	"sfmcp-proxy/authproxy/access"
)

// whileStopped refuses to begin an authorization, or to go on with one, while everything is
// stopped: whoever agreed and signed in would get a connection whose every call fails. It is
// a page, since a client that was told by a redirect would begin anew at once. Where the
// position of the kill switch is not known, nothing is given either. Signing in to see
// and end connections stays possible.
func (s *Server) whileStopped(ctx context.Context) error {
	stop, err := s.Access.StopMode(ctx)
	if err != nil {
		return err
	}
	if stop != access.StopAll {
		return nil
	}
	return &pageError{status: http.StatusServiceUnavailable, title: "No new connection can be made now",
		text:   "Your administrator has stopped access to Salesforce through this proxy, for everybody. Nothing was connected.",
		detail: "When access is open again, start anew from the program that you want to connect."}
}
