package approval

import (
	"os"
	"testing"

	"sfmcp-proxy/authproxy/db/dbtest"
)

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" { // one of the processes of TestAP16Killed
		serveChild()
	}
	dbtest.Main(m, "Process|Race|Submit|FT35")
}
