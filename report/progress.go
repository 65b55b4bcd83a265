package report

import (
	"cmp"
	"io"
	"runtime"
	"sync"
	"time"

	"github.com/rivo/uniseg"
	"github.com/schollz/progressbar/v3"
)

// How often progress shows.
const (
	terminalBeat = 200 * time.Millisecond
	plainBeat    = 30 * time.Second
)

// What a terminal is told, other than on Windows, where a console may show it as
// text: to clear all from the cursor on, and how to take a line that is too long,
// since its size may have changed a moment ago.
var eraseBelow, cutLines, breakLines = "\x1b[J", "\x1b[?7l", "\x1b[?7h"

func init() {
	if runtime.GOOS == "windows" {
		eraseBelow, cutLines, breakLines = "", "", ""
	}
}

// Progress shows how far a run is: on a terminal as one line that keeps moving,
// elsewhere as a plain line every 30 seconds (so none for a run shorter than
// that), which begins with the time of day. Errors of its writer are ignored,
// since a closed terminal is no reason to stop a run; a writer that blocks holds up
// Println and Stop.
//
// Println is safe for concurrent use; Start and Stop belong to one goroutine.
type Progress struct {
	w        io.Writer
	terminal bool
	width    func() int
	status   func() Status
	bar      *progressbar.ProgressBar // drawn by one goroutine

	stop    chan struct{} // nil unless started
	stopped chan struct{}

	mu    sync.Mutex // guards what is written to w, and shown
	shown string     // the line that stands on the terminal
}

// NewProgress returns a Progress that writes to w once it is started. A terminal
// is one that moves its cursor: not one that calls itself dumb. The function width
// gives its columns (0 if they are not known, which counts as 80) and is called on a
// terminal only; status gives the present state. Both are called from another
// goroutine.
func NewProgress(w io.Writer, terminal bool, width func() int, status func() Status) *Progress {
	return &Progress{w: w, terminal: terminal, width: width, status: status, bar: newBar()}
}

// Start begins to show progress. It must not be called twice without a Stop in
// between.
func (p *Progress) Start() {
	p.stop, p.stopped = make(chan struct{}), make(chan struct{})
	go p.run()
}

// Stop ends it, clears the line on a terminal, and returns when nothing more
// will be written. Without a Start before it does nothing.
func (p *Progress) Stop() {
	if p.stop == nil {
		return
	}
	close(p.stop)
	<-p.stopped
	p.stop = nil
}

// Println writes a line of its own, above the progress line if there is one. The
// text is made harmless by [Sanitize].
func (p *Progress) Println(text string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown == "" {
		p.write(Sanitize(text) + "\n")
		return
	}
	columns := p.columns()
	above := p.over(Sanitize(text), columns)
	p.shown = Truncate(p.shown, columns)
	p.write(above + "\n" + cutLines + p.shown + breakLines + "\r")
}

func (p *Progress) run() {
	defer close(p.stopped)
	defer p.clear()
	beat, show := plainBeat, p.showPlain
	if p.terminal {
		beat, show = terminalBeat, p.showFrame
		show(0)
	}
	ticker := time.NewTicker(beat)
	defer ticker.Stop()
	for n := 1; ; n++ {
		select {
		case <-p.stop:
			return
		case <-ticker.C:
			show(n)
		}
	}
}

func (p *Progress) showPlain(int) {
	p.Println(p.status().line(time.Now()))
}

func (p *Progress) showFrame(beat int) {
	columns := p.columns()
	text := p.frame(p.status(), columns, beat, time.Now())

	p.mu.Lock()
	defer p.mu.Unlock()
	p.write(cutLines + p.over(text, columns) + breakLines + "\r")
	p.shown = text
}

// clear removes the line from the terminal.
func (p *Progress) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown == "" {
		return
	}
	p.write(p.over("", p.columns()) + "\r")
	p.shown = ""
}

// columns returns how many columns a line may take just now: one less than the
// terminal has, since many terminals wrap once the last one is written.
func (p *Progress) columns() int { return cmp.Or(p.width(), defaultWidth) - 1 }

// write writes in one call, so that other writers do not get in between.
func (p *Progress) write(text string) { _, _ = io.WriteString(p.w, text) }

// over returns what to write so that text stands in the place of the line that
// is shown. The cursor waits at the start of that line: so what a keyboard
// echoes is overwritten, and where a terminal was made smaller and broke the line
// into several, all of them are below. Spaces do on every terminal; the escape
// sequence is left to those that change their size.
func (p *Progress) over(text string, columns int) string {
	old := uniseg.StringWidth(p.shown)
	if old > columns {
		// Behind a space at least: tmux keeps what is erased from the top left on.
		return "\r" + cmp.Or(text, " ") + eraseBelow
	}
	return "\r" + pad(text, old)
}
