package main

import (
	"os/user"

	"sfmcp-proxy/authproxy"
	"sfmcp-proxy/authproxy/actor"
)

// operator is who acts at the command line; as is the person whom they name, if they do.
func operator(as string) actor.Actor {
	u, err := user.Current()
	if err != nil {
		return actor.Operator("", as)
	}
	return actor.Operator(u.Username, as)
}

// act is something done at the command line.
func act(why string) authproxy.Act { return authproxy.Act{By: operator(""), Why: why} }
