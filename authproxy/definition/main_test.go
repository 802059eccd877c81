package definition

import (
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
)

func TestMain(m *testing.M) { dbtest.Main(m, "") }
