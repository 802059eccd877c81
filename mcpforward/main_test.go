package mcpforward

import (
	"os"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
)

func TestMain(m *testing.M) {
	code := m.Run()
	dbtest.Close()
	os.Exit(code)
}
