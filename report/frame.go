package report

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
)

// How many columns the bar may take.
const (
	minBar   = 10
	maxBar   = 40
	barSteps = 1000
	// barFrame is what the library puts around the bar: "   4% [" and "]  ".
	barFrame = 10
)

const spinner = `|/-\`

// frame returns the status as a terminal shows it at the given beat, in one
// line of at most so many columns: what people look for always, and the bar and
// the rest as there is room.
func (p *Progress) frame(s Status, columns, beat int, now time.Time) string {
	spin := spinner[beat%len(spinner):][:1]
	room := columns - len("| ")
	if text, bar := s.beside(room-barFrame, now); bar > 0 {
		return spin + p.drawBar(s.percent(), bar, text)
	}
	texts := s.texts(now)
	for _, text := range texts {
		switch size := uniseg.StringWidth(text); {
		case size <= room:
			return spin + " " + text
		case size <= columns:
			return text
		}
	}
	return Truncate(texts[len(texts)-1], columns)
}

// drawBar returns the bar with its percentage, and the text behind it. There is
// one bar for the whole run, drawn by one goroutine. It writes to nowhere, so that
// a frame is one write of ours.
func (p *Progress) drawBar(percent, columns int, text string) string {
	if p.bar.IsFinished() {
		p.bar.Reset() // or it would stay full
	}
	progressbar.OptionSetWidth(columns)(p.bar)
	_ = p.bar.Set(min(10*percent+5, barSteps)) // between two steps, since the library rounds 57 % down to 56
	p.bar.Describe(text)
	return strings.TrimRight(strings.TrimPrefix(p.bar.String(), "\r"), " ")
}

func newBar() *progressbar.ProgressBar {
	return progressbar.NewOptions(barSteps,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionShowDescriptionAtLineEnd(),
	)
}

// beside returns what stands beside a bar, and how many columns are left for
// that; 0 if too few are.
func (s Status) beside(columns int, now time.Time) (text string, bar int) {
	text = s.words(besideBar, s.waiting(now))
	bar = columns - uniseg.StringWidth(text)
	if s.Total <= 0 || bar < minBar {
		return "", 0
	}
	for _, extra := range []string{s.used(), s.average("/min")} {
		if size := len(", " + extra); extra != "" && bar-size >= minBar {
			text += ", " + extra
			bar -= size
		}
	}
	return text, min(bar, maxBar)
}

// texts returns the status in words, each time with less of what matters less.
func (s Status) texts(now time.Time) []string {
	wait := ""
	if s.Waiting != "" {
		wait = "waiting"
		if !s.Until.IsZero() {
			wait = "wait " + terse(s.Until.Sub(now))
		}
	}
	return []string{
		s.words(full, s.waiting(now)),
		s.words(full, wait),
		s.words(short, wait),
		s.words(tight, strings.Replace(wait, " ", "", 1)),
		s.words(full, ""),
		s.words(short, ""),
		s.words(tight, ""),
		s.words(least, ""),
	}
}

// How much room words take.
const (
	besideBar = iota // "120/3000, 2 failed, 58 min left", since a bar has the percentage
	full             // "120/3000, 4%, 2 failed, 58 min left"
	short            // "120/3000 4% 2 failed 58m"
	tight            // "120/3000 4% 2 err 58m"
	least            // "4% 2 err 58m", where a million rows meet 30 columns
)

// words returns what people look for, and why everything waits.
func (s Status) words(style int, wait string) string {
	what, done, share, failed, eta := "", "", "", "", ""
	if s.What != "" || s.Total <= 0 {
		what = s.what()
	}
	if s.Total > 0 && style != least {
		done = fmt.Sprintf("%d/%d", s.Done, s.Total)
	}
	if s.Total > 0 && style != besideBar && (style != tight || what == "") {
		share = fmt.Sprintf("%d%%", s.percent())
	}
	if s.counts() {
		failed, eta = fmt.Sprintf("%d failed", s.Failed), "ETA ?"
	}
	if s.ETA >= 0 {
		eta = FormatDuration(s.ETA) + " left"
	}
	if style <= full {
		return join(", ", what, done, share, failed, eta, wait)
	}
	if s.ETA >= 0 {
		eta = terse(s.ETA)
	}
	if style != short {
		failed = strings.Replace(failed, "failed", "err", 1)
	}
	return join(" ", what, done, share, failed, eta, wait)
}

// terse returns a duration as [FormatDuration] does, in less room: "3h20m".
func terse(d time.Duration) string {
	return strings.NewReplacer("min", "m", " ", "").Replace(FormatDuration(d))
}
