package main

import (
	"os/user"

	"sfmcp-proxy/authproxy"
)

// operator is who the audit log names for what the command line does.
func operator() string {
	if u, err := user.Current(); err == nil {
		return "operator:" + u.Username
	}
	return "operator"
}

// act is something done at the command line.
func act(why string) authproxy.Act { return authproxy.Act{By: operator(), Why: why} }
