package salesforcesim

import (
	"bytes"
	"html/template"
	"net/http"
)

type loginPage struct {
	Title, Org, Action, Source, Username, Error string
	Offered                                     []User // each has a button that signs in
}

type approvalPage struct {
	Title, Org, Action, Source, App, Name, Username, SignOut string
	Scopes                                                   []string
}

type messagePage struct {
	Title string
	Lines []string
}

// pages work without scripts. Every page says what it is, so that nobody takes it for Salesforce.
var pages = template.Must(template.New("").Funcs(template.FuncMap{"scope": scopeInWords}).Parse(`
{{define "head"}}<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Title}} | Simulated Salesforce</title>
<style>
*{box-sizing:border-box}
body{margin:0;min-height:100vh;background:#f3f5f8;color:#181c26;font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
.notice{background:#fff3cd;border-bottom:1px solid #e6c65c;color:#5c4400;padding:.6rem 1rem;text-align:center;font-size:.9rem}
main{max-width:26rem;margin:3rem auto;padding:0 1rem}
.brand{display:block;text-align:center;color:#0b5cab;font-weight:700;font-size:1.35rem;margin-bottom:1.25rem}
.card{background:#fff;border:1px solid #dbe0e8;border-radius:.5rem;padding:1.5rem;box-shadow:0 1px 3px #0001}
h1{font-size:1.25rem;margin:0 0 .75rem}
label{display:block;font-size:.9rem;margin:.9rem 0 .25rem}
input{width:100%;padding:.6rem .7rem;font:inherit;border:1px solid #98a2b3;border-radius:.3rem;background:#fff;color:inherit}
button{font:inherit;font-weight:600;padding:.6rem 1.1rem;border-radius:.3rem;border:1px solid #0b5cab;background:#0b5cab;color:#fff;cursor:pointer}
button.plain{background:#fff;color:#0b5cab}
:focus-visible{outline:3px solid #7ab4f5;outline-offset:2px}
.buttons{display:flex;gap:.75rem;margin-top:1.5rem}.buttons button{flex:1}
.wide{width:100%;margin-top:1.4rem}
.person{width:100%;margin-top:.75rem}
@media (max-width:30rem){main{margin-top:1rem}}
.error{background:#fdecea;border:1px solid #e5a39c;color:#7a1d13;border-radius:.3rem;padding:.6rem .8rem}
.small{color:#525c6d;font-size:.875rem;overflow-wrap:anywhere}
ul{padding-left:1.2rem}a{color:#0b5cab}
</style></head><body>
<div class="notice"><strong>Simulated Salesforce</strong> for demonstrations and tests. Never type a real password here.</div>
<main><span class="brand">simulated salesforce</span><div class="card">{{end}}
{{define "foot"}}</div></main></body></html>
{{end}}

{{define "login"}}{{template "head" .}}
<h1>Log in to the org “{{.Org}}”</h1>
{{with .Error}}<p class="error" role="alert">{{.}}</p>{{end}}
<form method="post" action="{{.Action}}">
<input type="hidden" name="source" value="{{.Source}}">
<label for="username">Username</label><input id="username" name="username" type="text" value="{{.Username}}" autocomplete="username" required>
<label for="password">Password</label><input id="password" name="password" type="password" autocomplete="current-password" required>
<button class="wide" type="submit" name="Login">Log In</button>
</form>{{range .Offered}}
<form method="post" action="{{$.Action}}">
<input type="hidden" name="source" value="{{$.Source}}"><input type="hidden" name="username" value="{{.Username}}"><input type="hidden" name="password" value="{{.Password}}">
<button class="plain person" type="submit">Log in as {{.Name}}</button>
</form>{{end}}{{template "foot" .}}{{end}}

{{define "approval"}}{{template "head" .}}
<h1>Allow Access?</h1>
<p>An External Client App of the org “{{.Org}}” is asking to:</p>
<ul>{{range .Scopes}}<li>{{scope .}}</li>{{end}}</ul>
<p class="small">Consumer key {{.App}}</p>
<p>Do you want to allow access for <strong>{{.Username}}</strong> ({{.Name}})? <a href="{{.SignOut}}">Not you?</a></p>
<form method="post" action="{{.Action}}">
<input type="hidden" name="source" value="{{.Source}}">
<div class="buttons"><button class="plain" type="submit" name="decision" value="deny">Deny</button>
<button type="submit" name="decision" value="allow">Allow</button></div>
</form>
<p class="small">To revoke access at any time, go to your personal settings.</p>{{template "foot" .}}{{end}}

{{define "message"}}{{template "head" .}}
<h1>{{.Title}}</h1>{{range .Lines}}<p class="small">{{.}}</p>
{{end}}{{template "foot" .}}{{end}}
`))

func scopeInWords(scope string) string {
	words := map[string]string{
		"mcp_api":       "Access Salesforce hosted MCP servers (mcp_api)",
		"refresh_token": "Perform requests at any time (refresh_token, offline_access)",
		"api":           "Manage user data via APIs (api)",
		"openid":        "Access unique user identifiers (openid)",
	}
	if text, ok := words[scope]; ok {
		return text
	}
	return scope
}

// render writes a page as a whole, so that a mistake in a template never sends half of one.
func render(w http.ResponseWriter, status int, name string, page any) {
	var body bytes.Buffer
	if err := pages.ExecuteTemplate(&body, name, page); err != nil {
		http.Error(w, "rendering page", http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'")
	w.WriteHeader(status)
	w.Write(body.Bytes())
}
