package listing

import (
	"sfmcp-proxy/authproxy/actor"
	"sfmcp-proxy/authproxy/apitoken"
)

// tokenRow is a token for the security team's API; the token itself is not known.
type tokenRow struct {
	ID        string      `json:"id" col:"TOKEN"`
	Name      string      `json:"name" col:"NAME" fit:"line,late"`
	Role      string      `json:"role" col:"ROLE"`
	State     string      `json:"state" col:"STATE"`
	CreatedBy actor.Actor `json:"created_by" col:"CREATED BY" fit:"drop"`
	Created   moment      `json:"created" col:"CREATED" fit:"drop"`
	Expires   moment      `json:"expires" col:"EXPIRES"`
	LastUsed  moment      `json:"last_used,omitzero" col:"LAST USED" fit:"spare"`
	Revoked   moment      `json:"revoked,omitzero"`
}

// Token is a token with whether it is good, expired or revoked.
type Token struct {
	apitoken.Token
	State string
}

// Tokens prints tokens for the security team's API.
func (p Printer) Tokens(all []Token) error {
	list := make([]tokenRow, len(all))
	for i, t := range all {
		list[i] = tokenRow{t.ID, t.Name, t.Role, t.State, t.CreatedBy, moment{t.CreatedAt}, moment{t.ExpiresAt}, moment{t.LastUsedAt}, moment{t.RevokedAt}}
	}
	return rows(p, list)
}
