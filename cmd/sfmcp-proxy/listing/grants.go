package listing

import (
	"time"

	"sfmcp-proxy/authproxy/client"
	"sfmcp-proxy/authproxy/grant"
)

type grantRow struct {
	ID       string `json:"id" col:"CONNECTION"`
	Org      string `json:"org" col:"ORG" fit:"drop"`
	Subject  string `json:"subject" col:"USER ID" fit:"drop"`
	Username string `json:"username" col:"USERNAME" fit:"line,late"`
	Client   string `json:"client" col:"CLIENT" fit:"line,late"`
	Server   string `json:"server" col:"SERVER" fit:"line,late"`
	LastUsed moment `json:"last_used" col:"LAST USE" fit:"drop"`
	Created  moment `json:"created" col:"SINCE" fit:"drop"`
	Revoked  moment `json:"revoked" col:"ENDED"` // whole: what ended must not look live
	Why      string `json:"why" col:"WHY" fit:"cut,drop"`
}

// Grants prints connections.
func (p Printer) Grants(grants []grant.Grant) error {
	all := make([]grantRow, len(grants))
	for i, g := range grants {
		all[i] = grantRow{g.ID, g.Org, g.Subject, g.Username, g.ClientID, g.Server,
			moment{g.LastUsedAt}, moment{g.CreatedAt}, moment{g.RevokedAt}, g.RevokedWhy}
	}
	return rows(p, all)
}

type clientRow struct {
	ID          string `json:"id" col:"CLIENT"`
	Name        string `json:"name" col:"NAME" fit:"line"`
	Kind        string `json:"kind" col:"KIND" fit:"spare"`
	Connections int    `json:"connections" col:"CONNECTIONS" fit:"spare"`
	Blocked     bool   `json:"blocked" col:"BLOCKED"`
	LastUse     moment `json:"last_use" col:"LAST USE" fit:"spare"`
	Hidden      bool   `json:"hidden" col:"HIDDEN" fit:"drop"`
	EndsAt      moment `json:"ends" col:"ENDS UNUSED" fit:"drop"`
}

// Client is a client, how many connections it has, whether it is refused, and how it stands in its
// life cycle.
type Client struct {
	client.Client
	Connections int
	Blocked     bool
	LastUse     time.Time // zero: never
	Hidden      bool      // unused for so long that it is listed only on demand
	EndsAt      time.Time // when its connections end if nobody uses them; zero: never, or there are none
}

// Clients prints clients.
func (p Printer) Clients(clients []Client) error {
	all := make([]clientRow, len(clients))
	for i, c := range clients {
		all[i] = clientRow{c.ID, c.Name, string(c.Kind), c.Connections, c.Blocked, moment{c.LastUse}, c.Hidden, moment{c.EndsAt}}
	}
	return rows(p, all)
}
