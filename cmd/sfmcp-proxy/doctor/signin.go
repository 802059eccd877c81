package doctor

import (
	"context"
	"errors"

	"sfmcp-proxy/authproxy/company"
)

// SignIn is the company's sign-in with one identity provider.
type SignIn struct {
	Issuer string
	// Examine asks the provider whether people could sign in: [company.SignIn.Examine].
	Examine func(context.Context) error
}

const signInCheck = "company_sign_in"

// signIns asks the identity providers of the company.
func (x *examination) signIns(ctx context.Context) {
	for _, s := range x.SignIns {
		switch err := s.Examine(ctx); {
		case err == nil:
			x.report(Finding{Check: signInCheck, Status: Good, Found: s.Issuer + " answers, and takes the client"})
		case errors.Is(err, company.ErrClient):
			x.report(Finding{Check: signInCheck, Status: Fail, Found: s.Issuer + ": " + err.Error(),
				Fix: "Set client_id and client_secret_file of console.oidc, or of console.providers, as the provider has them: nobody can sign in with the company."})
		default:
			x.report(Finding{Check: signInCheck, Status: Fail, Found: s.Issuer + ": " + err.Error(),
				Fix: "See that issuer in console.oidc, or in console.providers, is as the provider names itself, and is reached from here (outbound_proxy, trusted_ca_file): nobody can sign in with the company."})
		}
	}
}
