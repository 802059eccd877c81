package api

import (
	"os"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
)

func TestMain(m *testing.M) { os.Exit(dbtest.Run(m)) }
