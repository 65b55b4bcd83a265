package report

import (
	"bufio"
	"bytes"
	"cmp"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"siprotate/batch"
)

// What the pages are made of. Everything stands in the one file, and its
// Content-Security-Policy allows nothing else: no request to anywhere, no
// script and no style but these two.
var (
	//go:embed page/*.html
	pageFiles embed.FS
	//go:embed page/page.css
	pageStyle string
	//go:embed page/page.js
	pageScript string

	styleElement = template.HTML("<style>" + pageStyle + "</style>")
)

// pageTemplates parses the templates, for those who want a page.
var pageTemplates = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("").Funcs(template.FuncMap{
		"safe": Sanitize, "words": words, "duration": FormatDuration, "stamp": people, "machine": stamp,
	}).ParseFS(pageFiles, "page/*.html"))
})

// policy returns the element that puts a policy in force.
func policy(text string) template.HTML {
	return template.HTML(`<meta http-equiv="Content-Security-Policy" content="` + text + `">`)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// pageRows is how many rows the page's table takes. Of a longer run it holds the
// rows that were not rotated, and of these no more than so many.
const pageRows = 20_000

// A htmlView writes one page for people. The rows come first, as JSON that the
// page's script turns into the table, since the counts are known at the end
// only. The rows that were rotated wait in memory until it is known that they
// find room.
type htmlView struct {
	w       *bufio.Writer
	run     Run
	shown   int // rows that came
	written int // of these, rows in the page so far
	rotated bytes.Buffer
}

func newHTML(w io.Writer) View { return &htmlView{w: bufio.NewWriterSize(w, bufferSize)} }

// pageColumns are the table's own columns; behind them come the input's.
var pageColumns = []string{
	"Row", "Line", "Outcome", "Email", "SIP id", "User id", "Device id", "Code", "Why not rotated",
	"Requests", "First sent", "Finished", "Took", "Proof", "Proof says",
}

func (v *htmlView) Begin(run Run) error {
	v.run = run
	err := pageTemplates().ExecuteTemplate(v.w, "start", map[string]any{
		"Title": "Rotation of " + Sanitize(cmp.Or(run.Input, run.ID)), "Style": styleElement,
		"Policy": policy("default-src 'none'; style-src " + hash(pageStyle) + "; script-src " + hash(pageScript) +
			"; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"),
	})
	if err != nil {
		return err
	}
	columns := slices.Clone(pageColumns)
	for _, name := range run.Columns {
		columns = append(columns, Sanitize(name))
	}
	text, err := json.Marshal(map[string]any{"columns": columns, "own": len(pageColumns)})
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(v.w, "<script type=\"application/json\" id=\"data\">\n[%s", text)
	return err
}

func (v *htmlView) Entry(e *Entry) error {
	v.shown++
	if v.shown > pageRows {
		v.rotated = bytes.Buffer{}
	}
	rotated := e.Result.Outcome == batch.Rotated
	if rotated && v.shown > pageRows || !rotated && v.written == pageRows {
		return nil
	}
	// Marshal escapes what could end the script element.
	text, err := json.Marshal(v.cells(e))
	if err != nil {
		return err
	}
	if rotated {
		v.rotated.WriteString(",\n")
		v.rotated.Write(text)
		return nil
	}
	v.written++
	_, err = fmt.Fprintf(v.w, ",\n%s", text)
	return err
}

// cells returns the row as the table has it. Of an invalid row the cells may be
// anything, a password in the wrong column too: they are left out.
func (v *htmlView) cells(e *Entry) []any {
	row, result := &e.Row, &e.Result
	code, why := "", ""
	if result.Outcome != batch.Rotated {
		code, why = e.Why()
	}
	input := func(text string) string {
		if result.Outcome == batch.Invalid {
			return ""
		}
		return Truncate(shown(text, &e.Entry), maxReason)
	}
	cells := []any{
		row.Number, row.Line, result.Outcome.String(),
		input(row.Email), input(row.SIPID), input(row.UserID), input(row.DeviceID),
		Truncate(code, maxCode), Truncate(why, maxReason),
		result.Attempts.Count, stamp(result.Attempts.FirstSent), stamp(result.Finished), e.took(),
		string(result.Proof.Verdict), Truncate(e.Answer.ProofReason, maxReason),
	}
	for i := range v.run.Columns {
		cells = append(cells, input(cell(e, i)))
	}
	return cells
}

func (v *htmlView) End(d Digest) error {
	held := v.written
	if v.shown <= pageRows {
		held = v.shown
		_, _ = v.rotated.WriteTo(v.w) // an error comes back from Flush
	}
	_, _ = v.w.WriteString("]\n</script>\n")
	err := pageTemplates().ExecuteTemplate(v.w, "body", map[string]any{
		"Run": d.Run, "Summary": d.Summary, "Groups": withSilent(d),
		"Counts": newCounts(d.Summary), "Chart": newChart(d.Run.Traffic, believed(d.Run.Allowance, d.Run.Traffic)),
		"Average": d.Run.Took >= averageFrom && d.Summary.PerMinute > 0,
		"Waited":  d.Run.Waited.Round(time.Second),
		"NoBy":    FindColumn(d.Run.Columns, d.Run.By) < 0,
		"Shown":   v.shown, "Held": held, "LeftOut": v.shown - held, "Full": held == pageRows && v.shown > pageRows,
		"Only":   d.Run.Only,
		"Report": ReportCSV.File, "Script": template.HTML("<script>" + pageScript + "</script>"),
	})
	if err != nil {
		return err
	}
	return v.w.Flush()
}

// believed returns the allowance, or 0 if a minute has more requests: then the API
// granted more than the run was begun with.
func believed(allowance float64, traffic []batch.Minute) float64 {
	if slices.ContainsFunc(traffic, func(m batch.Minute) bool { return float64(m.First+m.Again) > allowance }) {
		return 0
	}
	return allowance
}

// withSilent returns the groups, with one for the rows whose turn never came: in
// the digest their count says it all, but people shall see what to do.
func withSilent(d Digest) []Group {
	silent := d.Summary.Rows - d.Summary.Rotated
	for _, g := range d.Groups {
		silent -= g.Rows
	}
	if silent == 0 {
		return d.Groups
	}
	i := slices.IndexFunc(d.Groups, func(g Group) bool { return g.Rest || g.Rows < silent })
	if i < 0 {
		i = len(d.Groups)
	}
	return slices.Insert(slices.Clone(d.Groups), i, Group{Outcome: batch.NotAttempted, Rows: silent})
}

// A count is how many rows have an outcome, and what that means.
type count struct {
	Outcome batch.Outcome
	Rows    int
	Meaning string
	X, Part float64 // in the bar, in per cents
}

var outcomeMeanings = map[batch.Outcome]string{
	batch.Rotated:      "the API confirmed the new password",
	batch.Failed:       "refused: the old password stands",
	batch.Unknown:      "no verdict: either password may stand",
	batch.Invalid:      "unusable in the input: not sent",
	batch.NotAttempted: "not sent: the old password stands",
}

func newCounts(s Summary) []count {
	var counts []count
	x := 0.0
	for _, o := range readingOrder {
		c := count{Outcome: o, Rows: s.Count(o), Meaning: outcomeMeanings[o], X: x}
		if s.Rows > 0 {
			c.Part = 100 * float64(c.Rows) / float64(s.Rows)
		}
		x += c.Part
		counts = append(counts, c)
	}
	return counts
}

// words returns an outcome's name for people.
func words(o batch.Outcome) string { return strings.ReplaceAll(o.String(), "_", " ") }

// people returns a time as people read it.
func people(t time.Time) string { return t.UTC().Format("2 January 2006, 15:04:05 UTC") }
