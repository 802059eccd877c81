package client

import "testing"

// C3: schemes of programs' own, and what is none.
func TestC3ValidatePrivateUseURI(t *testing.T) {
	t.Parallel()
	for uri, want := range map[string]bool{
		"cursor://anysphere.cursor-mcp/oauth/callback": true, "com.example.app:/callback": true, "vscode://vscode.github-authentication/did-authenticate": true,
		"vscode-insiders://x/y": true, "com.raycast:/oauth?package_name=Extension": true, "app://localhost/cb": true,

		"javascript:alert(1)": false, "JavaScript:alert(1)": false, "javascript://x/%0aalert(1)": false, "data:text/html,x": false, "vbscript:x": false,
		"file:///etc/passwd": false, "blob:https://c.example/1": false, "http://127.0.0.1/cb": false, "https://c.example/cb": false, "about:blank": false,
		"view-source://x/y": false, "intent://x/y": false, "mailto:a@b.example": false, "tel:1": false, "": false, "cursor:": false, "cursor:/": false, "cursor://": false,
		"Cursor://x/cb": false, "cursor://x/cb#f": false, "cursor://u@x/cb": false, "cursor://x/*": false, "cursor://x/c b": false, "cursor://x/cb\u200b": false,
		"//x/cb": false, "/cb": false, "cursor://x/cb?code=1": false, "cursor://x/cb?state=": false, " cursor://x/cb": false, "java\tscript:alert(1)": false,
	} {
		if err := ValidatePrivateUseURI(uri); (err == nil) != want {
			t.Errorf("%q: %v, want it accepted: %t", uri, err, want)
		}
	}
}
