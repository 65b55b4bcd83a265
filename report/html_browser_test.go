package report

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
)

// A browserPage is a page in headless Chromium, and what Chromium says of it.
type browserPage struct {
	t    *testing.T
	ctx  context.Context
	path string

	mu       sync.Mutex
	requests []string // but for the page itself
	said     []string // errors, warnings, violations of the policy
}

// TestPage reads report.html in Chromium, as a person does.
func TestPage(t *testing.T) {
	t.Parallel()
	b := startBrowser(t)
	for name, test := range map[string]func(*testing.T){
		"counts":           b.testCounts,
		"search":           b.testSearch,
		"filters":          b.testFilters,
		"sorts":            b.testSorts,
		"hostile text":     b.testHostileText,
		"policy":           b.testPolicy,
		"long run":         b.testLongRun,
		"prints every row": b.testPrintsEveryRow,
		"accessible":       b.testAccessible,
	} {
		t.Run(name, test)
	}
}

// A browser is a headless Chromium.
type browser struct{ ctx context.Context }

func startBrowser(t *testing.T) browser {
	t.Helper()
	chromium, err := chromiumPath()
	if err != nil {
		t.Skip("skipped: the page is not tested without Chromium:", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(chromium), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1280, 900))
	allocator, end := chromedp.NewExecAllocator(t.Context(), options...)
	t.Cleanup(end)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(func() {
		_ = chromedp.Cancel(ctx) // waits for the browser's end
		cancel()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatal(err)
	}
	return browser{ctx}
}

// open opens a run's report.html in a tab of its own.
func (b browser) open(t *testing.T, run Run, entries iter.Seq2[batch.Entry, error]) *browserPage {
	t.Helper()
	p := &browserPage{t: t, path: filepath.Join(t.TempDir(), ReportHTML.File)}
	f, err := os.Create(p.path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Render(f, run, entries, ReportHTML); err != nil {
		t.Fatal(err)
	}
	ctx, closePage := chromedp.NewContext(b.ctx, chromedp.WithListener(p.listen))
	t.Cleanup(closePage)
	ctx, cancel := context.WithTimeout(ctx, hangTimeout)
	t.Cleanup(cancel)
	p.ctx = ctx
	p.do(chromedp.Navigate(p.url())) // Chromium tells the listener everything from the start on
	return p
}

// hangTimeout is longer than any page takes, also where all is slow.
const hangTimeout = 4 * time.Minute

func chromiumPath() (string, error) {
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return exec.LookPath("chromium")
}

func (p *browserPage) url() string { return (&url.URL{Scheme: "file", Path: p.path}).String() }

func (p *browserPage) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e := event.(type) {
	case *network.EventRequestWillBeSent:
		if e.Request.URL != p.url() {
			p.requests = append(p.requests, e.Request.URL)
		}
	case *runtime.EventExceptionThrown:
		p.said = append(p.said, (&chromedp.ExceptionError{ExceptionDetails: e.ExceptionDetails}).Error())
	case *runtime.EventConsoleAPICalled:
		p.said = append(p.said, fmt.Sprint(e.Type, e.Args))
	case *cdplog.EventEntryAdded:
		p.said = append(p.said, e.Entry.Text)
	}
}

func (p *browserPage) do(actions ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	if err := chromedp.Do(p.ctx, actions...); err != nil {
		p.t.Fatal(err)
	}
}

// eval returns what a JavaScript expression comes to.
func eval[T any](p *browserPage, expression string) T {
	p.t.Helper()
	v, err := chromedp.Run(p.ctx, chromedp.Evaluate[T](expression, chromedp.EvalAwaitPromise))
	if err != nil {
		p.t.Fatal(err)
	}
	return v
}

// choose picks an option of a select by its text's beginning, as a person does.
func (p *browserPage) choose(id, text string) {
	p.t.Helper()
	if !eval[bool](p, fmt.Sprintf(`(() => {
		const select = document.getElementById(%q);
		const option = [...select.options].find(o => o.textContent.startsWith(%q));
		if (!option || select.disabled) return false;
		select.value = option.value;
		select.dispatchEvent(new Event("change", {bubbles: true}));
		return true;
	})()`, id, text)) {
		p.t.Fatalf("%s has no option %q", id, text)
	}
}

// column returns the table's cells under a heading.
func (p *browserPage) column(name string) []string {
	p.t.Helper()
	return eval[[]string](p, fmt.Sprintf(`[...document.querySelectorAll("#table tbody td")].filter(td => td.dataset.name === %q).map(td => td.textContent)`, name))
}

func (p *browserPage) found() string {
	p.t.Helper()
	return eval[string](p, `document.getElementById("found").textContent`)
}

// quiet checks that the page asked for nothing, and that Chromium complains of
// nothing.
func (p *browserPage) quiet() {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.requests)+len(p.said) > 0 {
		p.t.Errorf("requests %q, console %q", p.requests, p.said)
	}
}

func (b browser) testCounts(t *testing.T) {
	p := b.open(t, pageRun(300), pageSample(300))
	if got := eval[string](p, `document.querySelector("h1").textContent`); got != "271 of 300 rows rotated" {
		t.Errorf("heading %q", got)
	}
	want := map[string]string{"rotated": "271", "failed": "14", "unknown": "3", "invalid": "3", "not attempted": "9"}
	got := eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll(".tiles li")].map(li =>
		[li.querySelector(".name").textContent, li.querySelector(".number").textContent]))`)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	reasons := eval[[]string](p, `[...document.querySelectorAll(".reasons h3")].map(h => h.textContent.trim())`)
	if !slices.Contains(reasons, "9 rows failed 404 10801") || !slices.Contains(reasons, "8 rows not attempted") {
		t.Errorf("reasons %q", reasons)
	}
	if p.found() != "300 rows" || len(p.column("Row")) != 200 {
		t.Errorf("%s, %d of them in the page at first", p.found(), len(p.column("Row")))
	}
	p.do(chromedp.Click("#more button"))
	if n := len(p.column("Row")); n != 300 {
		t.Errorf("%d rows in the page after more were asked for", n)
	}
	p.quiet()
}

func (b browser) testSearch(t *testing.T) {
	p := b.open(t, pageRun(300), pageSample(300))
	p.do(chromedp.SendKeys("#search", "NOT found  rao"), chromedp.Poll[chromedp.Void](`document.getElementById("found").textContent.includes("found  rao”")`))
	if got := p.found(); got != "1 of 300 rows (search “NOT found  rao”)" {
		t.Errorf("found %q", got)
	}
	p.choose("outcome", "rotated")
	if got := p.found(); !strings.HasPrefix(got, "No row of 300 fits") {
		t.Errorf("found %q", got)
	}
	p.do(chromedp.Click("#reset"))
	if got := p.found(); got != "300 rows" {
		t.Errorf("after a reset: %q", got)
	}
	p.quiet()
}

func (b browser) testFilters(t *testing.T) {
	p := b.open(t, pageRun(300), pageSample(300))
	p.choose("outcome", "unknown")
	if diff := cmp.Diff([]string{"83", "166", "249"}, p.column("Row")); diff != "" {
		t.Error(diff)
	}
	p.choose("outcome", "not rotated")
	if got := p.found(); got != "29 of 300 rows (outcome not rotated)" {
		t.Errorf("found %q", got)
	}
	p.choose("column", "team")
	p.choose("value", "Support")
	if teams := slices.Compact(p.column("team")); !slices.Equal(teams, []string{"Support"}) {
		t.Errorf("teams %q, %s", teams, p.found())
	}
	p.do(chromedp.Evaluate[chromedp.Void](`[...document.querySelectorAll("button.show")].find(b => b.dataset.code === "404 10801").click()`))
	if codes := p.column("Code"); len(codes) != 9 || !slices.Equal(slices.Compact(codes), []string{"404 10801"}) {
		t.Errorf("rows of a reason have the codes %q", codes)
	}
	p.quiet()
}

func (b browser) testSorts(t *testing.T) {
	p := b.open(t, pageRun(300), pageSample(300))
	sorted := func() map[string]string {
		return eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll("th[aria-sort]")].map(th => [th.textContent, th.ariaSort]))`)
	}
	if diff := cmp.Diff(map[string]string{"Row": "ascending"}, sorted()); diff != "" {
		t.Error(diff)
	}
	// By keyboard.
	p.do(chromedp.Focus(`th[data-column="12"] button`), chromedp.KeyEvent("\r"), chromedp.KeyEvent("\r"))
	if diff := cmp.Diff(map[string]string{"Took": "descending"}, sorted()); diff != "" {
		t.Error(diff)
	}
	if took := p.column("Took"); !strings.HasPrefix(took[0], "120.") {
		t.Errorf("the slowest row took %s", took[0])
	}
	p.choose("sort", "Email, descending")
	if emails := p.column("Email"); emails[0] != "agent300@example.com" {
		t.Errorf("last email: %s", emails[0])
	}
	p.quiet()
}

// Whatever the API or the input says is text.
func (b browser) testHostileText(t *testing.T) {
	run := pageRun(8)
	run.Account, run.Input, run.Version, run.By = hostile, hostile, hostile, hostile
	run.Stopped = hostile
	run.Columns = []string{hostile, "__proto__", "team"}
	entries := sampleEntries()
	for i := range entries {
		e := &entries[i]
		e.Row.Email, e.Row.UserID = hostile, hostile
		e.Row.Extra = []string{hostile, "constructor", "<b>"}
		e.Result.Receipt.ErrorMessage, e.Result.Note = hostile, hostile
	}
	p := b.open(t, run, sequence(entries, nil))
	if n := eval[int](p, `document.querySelectorAll("img, b").length + document.scripts.length`); n != 2 {
		t.Errorf("%d scripts and elements from outside, want the page's 2", n)
	}
	if got := eval[string](p, `document.title`); !strings.HasPrefix(got, "Rotation of </script>") {
		t.Errorf("title %q", got)
	}
	for _, name := range []string{"Email", "Why not rotated", Sanitize(hostile)} {
		if cells := p.column(name); !slices.Contains(cells, Sanitize(hostile)) {
			t.Errorf("%s shows %q", name, cells)
		}
	}
	p.quiet()
}

// An image of any other origin, a script and a style of any other text are not
// let in, even if they found a way into the page.
func (b browser) testPolicy(t *testing.T) {
	p := b.open(t, pageRun(3), pageSample(3))
	p.do(chromedp.Evaluate[chromedp.Void](`(() => {
		const style = document.createElement("style");
		style.textContent = "h1 { display: none }";
		const image = document.createElement("img");
		image.src = "http://127.0.0.1:9/x.png";
		document.body.append(style, image);
	})()`), chromedp.Poll[chromedp.Void](`document.images[0].complete`))
	if got := eval[string](p, `getComputedStyle(document.querySelector("h1")).display`); got != "block" {
		t.Errorf("a foreign style applies: %s", got)
	}
	if err := chromedp.Do(p.ctx, chromedp.Evaluate[chromedp.Void](`document.body.innerHTML = "x"`)); err == nil {
		t.Error("text becomes markup")
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.said) < 2 || !strings.Contains(fmt.Sprint(p.said), "Content Security Policy") {
		t.Errorf("no violation was noticed: %q", p.said)
	}
}

// A long run's page holds what was not rotated.
func (b browser) testLongRun(t *testing.T) {
	n := pageRows + 1000
	p := b.open(t, pageRun(n), pageSample(n))
	if outcomes := p.column("Outcome"); slices.Contains(outcomes, "rotated") || len(outcomes) == 0 {
		t.Errorf("outcomes %q", outcomes)
	}
	notice := eval[string](p, `document.querySelector(".rows .notice").textContent`)
	left := strings.TrimSuffix(p.found(), " rows")
	if !strings.Contains(notice, "the "+left+" rows that were not rotated") || !strings.Contains(notice, ReportCSV.File) {
		t.Errorf("%s rows, notice %q", left, notice)
	}
	p.quiet()
}

// On paper stand all rows.
func (b browser) testPrintsEveryRow(t *testing.T) {
	p := b.open(t, pageRun(300), pageSample(300))
	p.do(chromedp.Evaluate[chromedp.Void](`dispatchEvent(new Event("beforeprint"))`))
	if n := len(p.column("Row")); n != 300 {
		t.Errorf("%d rows on paper", n)
	}
}

// axe-core, if AXE_CORE names its file, finds nothing against the page, in light
// and dark, wide and narrow.
func (b browser) testAccessible(t *testing.T) {
	path := os.Getenv("AXE_CORE")
	if path == "" {
		t.Skip("skipped: AXE_CORE does not name axe-core's axe.min.js")
	}
	axe, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p := b.open(t, pageRun(300), pageSample(300))
	for _, scheme := range []string{"light", "dark"} {
		for _, width := range []int64{1280, 390} {
			p.as(scheme, width)
			p.do(chromedp.Evaluate[chromedp.Void](string(axe)))
			violations := eval[json.RawMessage](p, `axe.run({resultTypes: ["violations"]}).then(r => r.violations.map(v => ({id: v.id, help: v.help,
				nodes: v.nodes.slice(0, 3).map(n => n.html + " " + n.failureSummary)})))`)
			if string(violations) != "[]" {
				t.Errorf("%s, %d px: %s", scheme, width, violations)
			}
		}
	}
}

// as shows the page as wide and in such colours.
func (p *browserPage) as(scheme string, width int64) {
	p.t.Helper()
	p.do(chromedp.EmulateViewport(width, 900))
	if _, err := chromedp.Call(p.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
	}); err != nil {
		p.t.Fatal(err)
	}
}
