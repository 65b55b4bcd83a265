package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
)

// How many columns the bar may take, its ends and its percentage aside.
const (
	minBar = 10
	maxBar = 40
	// barFrame is what the library puts around the bar: "   4% [" and "]".
	barFrame = 8
)

const spinner = `|/-\`

// frame returns the status as a terminal shows it at the given beat, in one
// line of at most so many columns. What matters less gives way to what matters
// more: first the rate, the use of the allowance and the ETA, then the bar,
// then the failures.
func frame(s Status, columns, beat int, now time.Time) string {
	spin := spinner[beat%len(spinner):][:1]
	texts := s.texts(now)
	withFailures := texts[:len(texts)-1]
	for _, text := range withFailures {
		left := columns - uniseg.StringWidth(spin+text) - len(" ")
		if left >= barFrame+minBar && s.Total > 0 {
			return spin + bar(s.Done, s.Total, min(left-barFrame, maxBar)) + " " + text
		}
	}
	for _, text := range texts {
		if line := spin + " " + text; uniseg.StringWidth(line) <= columns {
			return line
		}
	}
	return truncate(spin+" "+texts[len(texts)-1], columns)
}

// texts returns the status in words: everything first, then each time without
// the part that matters least.
func (s Status) texts(now time.Time) []string {
	const failed, rate, eta, used = 1, 2, 3, 4
	parts := []string{
		fmt.Sprintf("%d/%d", s.Done, s.Total),
		fmt.Sprintf("%d failed", s.Failed),
		fmt.Sprintf("%.0f/min", s.PerMinute),
		"",
		"",
		s.waiting(now),
	}
	if s.ETA >= 0 {
		parts[eta] = FormatDuration(s.ETA) + " left"
	}
	if s.Allowance > 0 {
		parts[used] = fmt.Sprintf("%d/%d used", s.Used, s.Allowance)
	}
	var texts []string
	for _, without := range [][]int{{}, {rate}, {used}, {rate, used}, {rate, used, eta}, {rate, used, eta, failed}} {
		texts = append(texts, joinParts(parts, without))
	}
	return texts
}

// joinParts joins the parts that are not empty, but for those at some places.
func joinParts(parts []string, without []int) string {
	var b strings.Builder
	for i, part := range parts {
		if part == "" || slices.Contains(without, i) {
			continue
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		b.WriteString(part)
	}
	return b.String()
}

// bar returns a bar of the given columns with its percentage. Each frame draws
// a bar of its own: the library takes a bar that was full once for finished and
// would move it no more, and writing it ourselves costs one write a frame and
// no flicker.
func bar(done, total, columns int) string {
	b := progressbar.NewOptions(total,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionSetTheme(progressbar.ThemeASCII),
		progressbar.OptionSetWidth(columns),
		progressbar.OptionSetPredictTime(false),
	)
	_ = b.Set(min(max(0, done), total))
	_ = b.RenderBlank() // Set alone draws nothing below one per cent
	return strings.TrimRight(strings.TrimPrefix(b.String(), "\r"), " ")
}
