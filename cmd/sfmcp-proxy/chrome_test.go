package main

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// browserLimit bounds one step in a browser. It only decides how long a broken page
// takes to fail, so it leaves room for a machine that is busy with other tests.
const browserLimit = 90 * time.Second

// chrome is a person's window of Chromium, signed in nowhere else. Whatever its pages
// complain about fails the test.
type chrome struct {
	t   *testing.T
	ctx context.Context
	// foreign says that pages of others are shown, too, whose complaints are their own.
	foreign bool

	mu         sync.Mutex
	asked      []string // every address that the window asked for, redirects included
	complaints []string
}

// view is what a person sees after a step.
type view struct {
	Status int
	URL    string
	Text   string // as it is laid out
	Title  string
}

// sharedChrome is the Chromium of all tests: starting one takes longer than most of what
// is done in it. Each test has a browser context of its own, with its own cookies.
var sharedChrome struct {
	sync.Mutex
	browser context.Context
	end     func()
}

// openChrome starts the shared Chromium unless it is there.
func openChrome(t *testing.T) context.Context {
	t.Helper()
	sharedChrome.Lock()
	defer sharedChrome.Unlock()
	if sharedChrome.browser != nil {
		return sharedChrome.browser
	}
	var executable string
	// The shell is the same browser without its windows, and costs half of the computing.
	for _, name := range []string{"chromium-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			executable = path
			break
		}
	}
	need(t, "browser", executable != "", "install Chromium (Debian: apt-get install chromium)")

	// Chromium's defaults for automation; the allocator gives it a fresh profile and removes it.
	// It would start a process for a page that somebody may open next, for every one that is opened.
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]), chromedp.ExecPath(executable), chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.Flag("disable-component-update", true), chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-features", "Translate,BlinkGenPropertyTrees,SpareRendererForSitePerProcess"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	browser, closeBrowser := chromedp.NewContext(allocator)
	if err := chromedp.Do(browser); err != nil { // it lives as long as the context of its first run
		end()
		t.Fatalf("starting %s: %v", executable, err)
	}
	sharedChrome.browser, sharedChrome.end = browser, func() { closeBrowser(); end() }
	return browser
}

// endSharedChrome ends the browser after all tests.
func endSharedChrome() {
	sharedChrome.Lock()
	defer sharedChrome.Unlock()
	if sharedChrome.end != nil {
		sharedChrome.end()
	}
}

// startChrome opens a window for a person who is nowhere signed in.
func startChrome(t *testing.T) *chrome {
	t.Helper()
	browser := openChrome(t)
	b := &chrome{t: t}
	window, closeWindow := chromedp.NewContext(browser, chromedp.WithNewBrowserContext(), chromedp.WithListener(b.notice))
	t.Cleanup(closeWindow)
	b.ctx = window
	if err := chromedp.Do(window, setFocus); err != nil {
		t.Fatalf("opening a window: %v", err)
	}
	t.Cleanup(func() {
		for _, complaint := range b.complained() {
			if b.foreign {
				t.Logf("the browser complains: %s", complaint)
				continue
			}
			t.Errorf("the browser complains: %s", complaint)
		}
	})
	return b
}

// setFocus makes the page believe that it is the one that the person looks at, whatever
// other tests do in other windows.
func setFocus(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
	return chromedp.Call(ctx, emulation.SetFocusEmulationEnabled, emulation.SetFocusEmulationEnabledParams{Enabled: true})
}

// notice keeps what the window asks for and what its console says. An error page is
// itself a line in the console, so failed documents do not count; failed parts of them do.
func (b *chrome) notice(event any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	complain := func(format string, args ...any) { b.complaints = append(b.complaints, fmt.Sprintf(format, args...)) }
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Type == network.ResourceTypeDocument {
			b.asked = append(b.asked, e.Request.URL)
		}
	case *network.EventLoadingFailed:
		if e.Canceled && e.Type == network.ResourceTypeEventSource { // its page was left
			return
		}
		if e.Type != network.ResourceTypeDocument || e.BlockedReason != "" {
			complain("%s did not load: %s %s", e.Type, e.ErrorText, e.BlockedReason)
		}
	case *log.EventEntryAdded:
		if e.Entry.Source != log.EntrySourceNetwork || !slices.Contains(b.asked, e.Entry.URL) {
			complain("%s %s: %s (%s)", e.Entry.Source, e.Entry.Level, e.Entry.Text, e.Entry.URL)
		}
	case *runtime.EventConsoleAPICalled:
		complain("console.%s", e.Type)
	case *runtime.EventExceptionThrown:
		complain("exception: %s", e.ExceptionDetails.Text)
	}
}

func (b *chrome) complained() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.complaints)
}

// askedSince returns what the window asked for after the first n addresses.
func (b *chrome) askedSince(n int) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked[n:])
}

// do takes steps that stay on the page.
func (b *chrome) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserLimit)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		b.t.Fatalf("%v; %v", err, b.complained())
	}
}

// ask evaluates an expression on the page.
func ask[T any](b *chrome, expression string) T {
	b.t.Helper()
	answer, err := try[T](b, expression)
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return answer
}

// try is [ask] while the window may be on its way: between two pages there is none to ask,
// which is an error like any other, so whoever waits for a page asks again.
func try[T any](b *chrome, expression string) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, browserLimit)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression))
}

// goes takes a step that leads to another page, and waits until that has loaded.
func (b *chrome) goes(step chromedp.Action[chromedp.Void]) view {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, browserLimit)
	defer cancel()
	response, err := chromedp.RunResponse(ctx, step)
	if err != nil {
		b.t.Fatalf("no new page: %v; %v", err, b.complained())
	}
	v := b.look()
	v.Status = int(response.Status)
	return v
}

func (b *chrome) look() view {
	b.t.Helper()
	return view{URL: ask[string](b, "location.href"), Text: ask[string](b, "document.body.innerText"), Title: ask[string](b, "document.title")}
}

func (b *chrome) open(address string) view {
	b.t.Helper()
	return b.goes(chromedp.Navigate(address))
}

func (b *chrome) click(selector string) view {
	b.t.Helper()
	return b.goes(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// shows requires texts of the page.
func (b *chrome) shows(v view, status int, texts ...string) {
	b.t.Helper()
	if v.Status != status {
		b.t.Errorf("%s: status %d, want %d", v.URL, v.Status, status)
	}
	for _, text := range texts {
		if !strings.Contains(v.Text, text) {
			b.t.Errorf("%s does not show %q:\n%s", v.URL, text, v.Text)
		}
	}
}

// back presses the back button and waits until the window has left the address. A page
// may come back from the browser's memory, without any of the events of loading.
func (b *chrome) back(from string) {
	b.t.Helper()
	b.do(func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		history, err := chromedp.Run(ctx, chromedp.NavigationEntries())
		if err != nil {
			return chromedp.Void{}, err
		}
		return chromedp.Call(ctx, page.NavigateToHistoryEntry,
			page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID})
	})
	eventually(b.t, browserLimit, "the back button leads away", func() bool {
		here, err := try[string](b, `document.readyState == "complete" ? location.href : ""`)
		return err == nil && here != "" && here != from
	})
}

// colourScheme makes the pages believe what the person prefers: light or dark.
func colourScheme(name string) chromedp.Action[chromedp.Void] {
	return func(ctx context.Context, _ *chromedp.Target) (chromedp.Void, error) {
		return chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: name}}})
	}
}

// opened is the window that a page of this one has opened at an address.
func (b *chrome) opened(address string) *chrome {
	b.t.Helper()
	var id target.ID
	eventually(b.t, browserLimit, "a window is opened at "+address, func() bool {
		windows, err := chromedp.Targets(b.ctx)
		i := slices.IndexFunc(windows, func(w *target.Info) bool { return w.URL == address })
		if err != nil || i < 0 {
			return false
		}
		id = windows[i].TargetID
		return true
	})
	w := &chrome{t: b.t}
	window, closeWindow := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id), chromedp.WithListener(w.notice))
	b.t.Cleanup(closeWindow)
	w.ctx = window
	if err := chromedp.Do(window); err != nil {
		b.t.Fatal(err)
	}
	return w
}
