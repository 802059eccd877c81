package salesforcesim

import (
	"context"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
)

// Browser is a person's browser for tests: it keeps cookies, follows redirects and
// posts forms. It stops before it follows a redirect to one of the URLs it was made
// for, as a client's callback that nobody serves.
type Browser struct {
	client *http.Client
	stops  []string
}

// Page is what a browser sees after one step.
type Page struct {
	URL      string // of the page
	Status   int
	Body     string
	Location string // the redirect that the browser stopped at; then there is no page
	Forms    []Form
}

// Form is one form of a page.
type Form struct {
	Action string // absolute
	Method string // upper case
	// Fields are the inputs with their values. Buttons count only when a test sets them.
	Fields url.Values
	// Buttons are the values of each named button.
	Buttons map[string][]string
}

// NewBrowser makes a browser with the transport of client (nil: the default) that stops
// at redirects whose URL begins with one of stops.
func NewBrowser(client *http.Client, stops ...string) *Browser {
	if client == nil {
		client = http.DefaultClient
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		panic(err) // cannot happen without options
	}
	return &Browser{client: &http.Client{Transport: client.Transport, Timeout: client.Timeout, Jar: jar,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, stops: stops}
}

// Cookies are the cookies that the browser would send to a URL.
func (b *Browser) Cookies(address string) []*http.Cookie {
	u, err := url.Parse(address)
	if err != nil {
		return nil
	}
	return b.client.Jar.Cookies(u)
}

// Get opens a URL and follows redirects up to a page or a stop.
func (b *Browser) Get(ctx context.Context, address string) (*Page, error) {
	return b.open(ctx, http.MethodGet, address, nil)
}

// Submit posts a form of a page, with fields set over those of the page, and follows
// redirects up to a page or a stop.
func (b *Browser) Submit(ctx context.Context, page *Page, form Form, set url.Values) (*Page, error) {
	values := url.Values{}
	for _, from := range []url.Values{form.Fields, set} {
		for name, value := range from {
			values[name] = value
		}
	}
	if form.Method == http.MethodGet {
		return b.open(ctx, http.MethodGet, form.Action+"?"+values.Encode(), nil)
	}
	return b.open(ctx, http.MethodPost, form.Action, values, page.URL)
}

// Choose posts the first form of a page that has the button name=value, as a click on it.
func (b *Browser) Choose(ctx context.Context, page *Page, name, value string) (*Page, error) {
	for _, form := range page.Forms {
		for _, offered := range form.Buttons[name] {
			if offered == value {
				return b.Submit(ctx, page, form, url.Values{name: {value}})
			}
		}
	}
	return nil, fmt.Errorf("choosing %s=%s: no such button on %s (status %d)", name, value, page.URL, page.Status)
}

// LogIn opens a URL and does what a willing user does: fills in login forms, and clicks
// Allow on consent and approval pages, its own and the simulator's. It returns the
// first redirect to one of the browser's stops.
func (b *Browser) LogIn(ctx context.Context, address, username, password string) (callbackURL string, err error) {
	page, err := b.Get(ctx, address)
	// A sign-in has three pages; more mean that it goes round in circles, as a wrong password does.
	for range 6 {
		if err != nil {
			return "", fmt.Errorf("logging in: %w", err)
		}
		if page.Location != "" {
			return page.Location, nil
		}
		if form, ok := page.passwordForm(); ok {
			page, err = b.Submit(ctx, page, form, url.Values{"username": {username}, "password": {password}})
			continue
		}
		page, err = b.Choose(ctx, page, "decision", "allow")
	}
	if err == nil && page.Location != "" {
		return page.Location, nil
	}
	return "", errors.New("logging in: the pages do not come to an end; is the password right?")
}

func (p *Page) passwordForm() (Form, bool) {
	for _, form := range p.Forms {
		if _, ok := form.Fields["password"]; ok {
			return form, true
		}
	}
	return Form{}, false
}

// LogIn signs in with a new browser at an authorization URL and returns the redirect to
// its redirect_uri, with code or error. client gives the transport; nil is the default.
func LogIn(ctx context.Context, client *http.Client, authorizeURL, username, password string) (callbackURL string, err error) {
	u, err := url.Parse(authorizeURL)
	if err != nil {
		return "", fmt.Errorf("logging in: %w", err)
	}
	redirect := u.Query().Get("redirect_uri")
	if redirect == "" {
		return "", errors.New("logging in: the authorization URL has no redirect_uri")
	}
	return NewBrowser(client, redirect).LogIn(ctx, authorizeURL, username, password)
}

// open sends one request and follows the redirects after it.
func (b *Browser) open(ctx context.Context, method, address string, form url.Values, referer ...string) (*Page, error) {
	for range 20 {
		var body io.Reader
		if form != nil {
			body = strings.NewReader(form.Encode())
		}
		request, err := http.NewRequestWithContext(ctx, method, address, body)
		if err != nil {
			return nil, err
		}
		b.dress(request, form != nil, referer)
		response, err := b.client.Do(request)
		if err != nil {
			return nil, err
		}
		page, err := readPage(response)
		if err != nil || page.Location == "" {
			return page, err
		}
		for _, stop := range b.stops {
			if strings.HasPrefix(page.Location, stop) {
				return page, nil
			}
		}
		address, method, form, referer = page.Location, http.MethodGet, nil, nil
	}
	return nil, fmt.Errorf("opening %s: too many redirects", address)
}

// dress adds the headers that browsers send of themselves and servers judge by.
func (b *Browser) dress(request *http.Request, post bool, referer []string) {
	request.Header.Set("Accept", "text/html,application/xhtml+xml")
	request.Header.Set("User-Agent", "Mozilla/5.0 (simulated browser)")
	if !post {
		return
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("Sec-Fetch-User", "?1")
	for _, from := range referer {
		if u, err := url.Parse(from); err == nil {
			origin := u.Scheme + "://" + u.Host
			request.Header.Set("Origin", origin)
			site := "cross-site"
			if origin == request.URL.Scheme+"://"+request.URL.Host {
				site = "same-origin"
			}
			request.Header.Set("Sec-Fetch-Site", site)
		}
	}
}

func readPage(response *http.Response) (*Page, error) {
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, 4<<20))
	if err != nil {
		return nil, err
	}
	page := &Page{URL: response.Request.URL.String(), Status: response.StatusCode, Body: string(body)}
	if response.StatusCode >= 300 && response.StatusCode < 400 && response.Header.Get("Location") != "" {
		target, err := response.Request.URL.Parse(response.Header.Get("Location"))
		if err != nil {
			return nil, fmt.Errorf("redirect: %w", err)
		}
		page.Location = target.String()
		return page, nil
	}
	if next, ok := strings.CutPrefix(response.Header.Get("Refresh"), "0; url="); ok { // a page that goes on by itself
		target, err := response.Request.URL.Parse(next)
		if err != nil {
			return nil, fmt.Errorf("refresh: %w", err)
		}
		page.Location = target.String()
		return page, nil
	}
	page.Forms = forms(response.Request.URL, page.Body)
	return page, nil
}

var (
	formTag  = regexp.MustCompile(`(?is)<form\b([^>]*)>(.*?)</form>`)
	fieldTag = regexp.MustCompile(`(?is)<(input|button|textarea)\b([^>]*)>([^<]*)`)
	attrText = regexp.MustCompile(`(?is)([a-z-]+)\s*=\s*"([^"]*)"`)
	// isChecked reads what is left of a tag without its values.
	isChecked = regexp.MustCompile(`(?i)(^|\s)checked\b`)
)

// forms reads the forms of a page. It knows the HTML that templates write (quoted
// attributes), not all of it.
func forms(base *url.URL, body string) []Form {
	var found []Form
	for _, match := range formTag.FindAllStringSubmatch(body, -1) {
		attrs := attributesOf(match[1])
		action, err := base.Parse(attrs["action"])
		if err != nil {
			continue
		}
		form := Form{Action: action.String(), Method: strings.ToUpper(attrs["method"]), Fields: url.Values{}, Buttons: map[string][]string{}}
		if form.Method == "" {
			form.Method = http.MethodGet
		}
		for _, field := range fieldTag.FindAllStringSubmatch(match[2], -1) {
			attrs := attributesOf(field[2])
			switch name := attrs["name"]; {
			case name == "":
			case (attrs["type"] == "checkbox" || attrs["type"] == "radio") && !isChecked.MatchString(attrText.ReplaceAllString(field[2], "")): // is not sent
			case strings.EqualFold(field[1], "button") || attrs["type"] == "submit":
				form.Buttons[name] = append(form.Buttons[name], attrs["value"])
			case strings.EqualFold(field[1], "textarea"): // without the line break behind its tag, and sent with CRLF
				text := strings.TrimPrefix(html.UnescapeString(field[3]), "\n")
				form.Fields.Add(name, strings.ReplaceAll(text, "\n", "\r\n"))
			default:
				form.Fields.Add(name, attrs["value"])
			}
		}
		found = append(found, form)
	}
	return found
}

func attributesOf(tag string) map[string]string {
	attrs := map[string]string{}
	for _, match := range attrText.FindAllStringSubmatch(tag, -1) {
		attrs[strings.ToLower(match[1])] = html.UnescapeString(match[2])
	}
	return attrs
}
