package report

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/rivo/uniseg"
	"pgregory.net/rapid"
)

// A recorder keeps every write, as a terminal would receive it.
type recorder struct {
	mu     sync.Mutex
	writes []string
}

func (r *recorder) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.writes = append(r.writes, string(p))
	return len(p), nil
}

// resize makes the terminal another size from here on.
func (r *recorder) resize(width int) { _, _ = fmt.Fprintf(r, "\x00%d", width) }

// screen plays the writes on a terminal that starts with the given width, and
// returns its rows, the last of them the one of the cursor or below. A resized
// terminal breaks long lines anew, as most do, or else cuts them. It fails on a
// line that wraps.
func (r *recorder) screen(t testing.TB, width int, cuts bool) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	lines, at, column, cutting := [][]rune{nil}, 0, 0, false // the cursor's line and place in it
	for _, text := range r.writes {
		if size, resized := strings.CutPrefix(text, "\x00"); resized {
			width, _ = strconv.Atoi(size)
			for i := range lines {
				if cuts {
					lines[i] = lines[i][:min(width, len(lines[i]))]
				}
			}
			continue
		}
		for text != "" {
			if after, erases := strings.CutPrefix(text, "\x1b[J"); erases {
				lines = lines[:at+1]
				lines[at] = lines[at][:min(column, len(lines[at]))]
				text = after
				continue
			}
			if after, changes := strings.CutPrefix(text, "\x1b[?7"); changes {
				cutting, text = after[0] == 'l', after[1:]
				continue
			}
			c, size := utf8.DecodeRuneInString(text)
			text = text[size:]
			switch c {
			case '\r':
				column -= column % width
			case '\n':
				if at++; at == len(lines) {
					lines = append(lines, nil)
				}
				column = 0
			default:
				for column >= len(lines[at]) {
					lines[at] = append(lines[at], ' ')
				}
				lines[at][column] = c
				switch {
				case (column+1)%width > 0:
					column++
				case !cutting:
					t.Fatalf("wraps at %d columns: %q", width, string(lines[at]))
				}
			}
		}
	}
	var rows []string
	for _, line := range lines {
		text := []rune(strings.TrimRight(string(line), " "))
		for len(text) > width {
			rows, text = append(rows, string(text[:width])), text[width:]
		}
		rows = append(rows, string(text))
	}
	return rows
}

func running() Status {
	return Status{
		Total: 3000, Done: 120, Failed: 2, Requests: 123, Took: 150 * time.Second,
		ETA: 58 * time.Minute, Used: 12, Allowance: 50,
	}
}

func TestTerminalKeepsMovingWhileItWaits(t *testing.T) {
	for width, countdown := range map[int][2]string{
		30:  {"wait42s", "wait32s"},
		60:  {"wait 42s", "wait 32s"},
		100: {"waiting for the allowance, 42 s", "allowance, 32 s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			var r recorder
			s := running()
			s.Waiting, s.Until = "waiting for the allowance", time.Now().Add(42*time.Second)
			p := NewProgress(&r, true, func() int { return width }, func() Status { return s })
			p.Start()
			time.Sleep(10*time.Second + time.Millisecond)
			p.Stop()

			if len(r.writes) != 52 { // at once, every 200 ms, and the clearing
				t.Errorf("%d writes", len(r.writes))
			}
			frames := r.writes[:len(r.writes)-1]
			for i, frame := range frames[1:] {
				if frame == frames[i] && width > 30 {
					t.Errorf("frame %d does not move: %q", i, frame)
				}
			}
			for _, want := range []string{"120/3000", "4%", "2 ", countdown[0]} {
				if !strings.Contains(frames[0], want) {
					t.Errorf("no %q in %q", want, frames[0])
				}
			}
			if last := frames[len(frames)-1]; !strings.Contains(last, countdown[1]) {
				t.Errorf("no countdown in %q", last)
			}
			if got := r.screen(t, width, false); len(got) != 1 || got[0] != "" {
				t.Errorf("Stop left %q", got)
			}
		})
	}
}

func TestPrintlnStandsAboveTheBar(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		p := NewProgress(&r, true, func() int { return 80 }, running)
		p.Println("before")
		p.Start()
		defer p.Stop()
		synctest.Wait()
		p.Println("first signal: finishing what is in flight\x1b[2J")
		time.Sleep(time.Second)
		got := r.screen(t, 80, false)
		if len(got) != 3 || got[0] != "before" || got[1] != `first signal: finishing what is in flight\x1b[2J` ||
			!strings.Contains(got[2], "120/3000") {
			t.Errorf("the screen shows %q", got)
		}
		p.Stop()
		p.Println("after")
		if got := r.screen(t, 80, false); len(got) != 4 || got[2] != "after" {
			t.Errorf("the screen shows %q", got)
		}
	})
}

func TestShorterFrameCoversTheLongerOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		asked := 0
		p := NewProgress(&r, true, func() int { return 200 }, func() Status {
			s := running()
			if asked++; asked == 1 {
				s.Waiting = "waiting for the allowance"
			}
			return s
		})
		p.Start()
		defer p.Stop()
		time.Sleep(terminalBeat + time.Millisecond)
		if got := r.screen(t, 200, false); !strings.HasSuffix(got[0], "49/min") {
			t.Errorf("the screen shows %q", got)
		}
	})
}

// A terminal that is made smaller must keep nothing of the old bar, whether it
// breaks long lines or cuts them, nor lose the lines above.
func TestNarrowedTerminal(t *testing.T) {
	for _, cuts := range []bool{false, true} {
		for _, width := range []int{100, 60, 30} {
			for _, note := range []bool{false, true} {
				synctest.Test(t, func(t *testing.T) {
					var r recorder
					var columns atomic.Int64
					columns.Store(120)
					p := NewProgress(&r, true, func() int { return int(columns.Load()) }, running)
					p.Println("above")
					p.Start()
					defer p.Stop()
					synctest.Wait()
					columns.Store(int64(width))
					r.resize(width)
					want := []string{"above"}
					if note {
						p.Println("note")
						want = append(want, "note")
					}
					time.Sleep(terminalBeat)
					synctest.Wait()
					got := r.screen(t, 120, cuts)
					if len(got) != len(want)+1 || !slices.Equal(got[:len(want)], want) || !strings.Contains(got[len(want)], "120/3000") {
						t.Errorf("at %d columns, note %v, cuts %v, the screen shows\n%s", width, note, cuts, strings.Join(got, "\n"))
					}
				})
			}
		}
	}
}

// A keyboard's echo, such as ^C, must not stay.
func TestEchoIsOverwritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		p := NewProgress(&r, true, func() int { return 80 }, running)
		p.Start()
		synctest.Wait()
		_, _ = r.Write([]byte("^C"))
		p.Println("interrupted")
		_, _ = r.Write([]byte("^C"))
		p.Println("interrupted again")
		p.Stop()
		if got := r.screen(t, 80, false); !slices.Equal(got, []string{"interrupted", "interrupted again", ""}) {
			t.Errorf("the screen shows %q", got)
		}
	})
}

func TestPlainLines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		s := running()
		s.Waiting = "waiting for the allowance"
		p := NewProgress(&r, false, nil, func() Status { return s })
		p.Start()
		time.Sleep(29 * time.Second)
		p.Stop()
		if len(r.writes) != 0 {
			t.Errorf("a short run wrote %q", r.writes)
		}
		p.Start()
		time.Sleep(61 * time.Second)
		p.Stop()
		p.Stop()
		want := ""
		for _, ago := range []time.Duration{31 * time.Second, time.Second} {
			want += time.Now().Add(-ago).Format("15:04:05") +
				" 120/3000 rows (4%), 2 failed, about 58 min left, 49 requests/min, waiting for the allowance\n"
		}
		if got := strings.Join(r.writes, ""); got != want {
			t.Errorf("wrote %q, want %q", got, want)
		}
	})
}

func TestLine(t *testing.T) {
	now := time.Date(2025, 3, 1, 2, 15, 30, 0, time.Local)
	for want, s := range map[string]Status{
		"02:15:30 starting":                                                   {ETA: -1},
		"02:15:30 listing the account":                                        {What: "listing the account", ETA: -1},
		`02:15:30 \x1b: 40/1200 (3%), waiting`:                                {What: "\x1b", Done: 40, Total: 1200, ETA: -1, Waiting: "waiting"},
		"02:15:30 0/3 rows (0%), 0 failed":                                    {Total: 3, ETA: -1, Requests: 26, Took: 59 * time.Second},
		"02:15:30 3/3 rows (100%), 3 failed, about 0 s left, 26 requests/min": {Total: 3, Done: 3, Failed: 3, Requests: 26, Took: time.Minute},
	} {
		if got := s.line(now); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, errors.New("closed") }

func TestBrokenWriterStopsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		p := NewProgress(brokenWriter{}, true, func() int { return 0 }, func() Status {
			asked++
			return running()
		})
		p.Start()
		time.Sleep(time.Second + time.Millisecond)
		p.Println("x")
		p.Stop()
		if asked != 6 {
			t.Errorf("asked %d times", asked)
		}
	})
}

func TestStopWithoutStart(t *testing.T) {
	NewProgress(brokenWriter{}, true, nil, nil).Stop()
}

// No status and no width makes a frame that wraps, breaks the line or panics.
func TestFrameFits(t *testing.T) {
	now := time.Now()
	p := NewProgress(io.Discard, true, nil, nil)
	count := rapid.OneOf(rapid.IntRange(-1, 100), rapid.Int())
	rapid.Check(t, func(t *rapid.T) {
		s := Status{
			What:  rapid.OneOf(rapid.Just(""), rapid.String()).Draw(t, "what"),
			Total: count.Draw(t, "total"), Done: count.Draw(t, "done"), Failed: count.Draw(t, "failed"),
			Requests: count.Draw(t, "requests"), Took: time.Duration(rapid.Int64().Draw(t, "took")),
			ETA:  time.Duration(rapid.Int64().Draw(t, "eta")),
			Used: count.Draw(t, "used"), Allowance: count.Draw(t, "allowance"),
			Waiting: rapid.OneOf(rapid.Just(""), rapid.String()).Draw(t, "waiting"),
		}
		if rapid.Bool().Draw(t, "until") {
			s.Until = now.Add(time.Duration(rapid.Int64().Draw(t, "wait")))
		}
		columns := rapid.IntRange(0, 200).Draw(t, "columns")
		got := p.frame(s, columns, rapid.IntRange(0, 1000).Draw(t, "beat"), now)
		if size := uniseg.StringWidth(got); size > columns {
			t.Fatalf("%d columns in %d: %q", size, columns, got)
		}
		if Sanitize(got) != got {
			t.Fatalf("harmful: %q", got)
		}
	})
}

// What people look for stands in every frame, waiting or not, on every terminal
// of 30 columns and more.
func TestFrameHasWhatPeopleLookFor(t *testing.T) {
	now := time.Now()
	p := NewProgress(io.Discard, true, nil, nil)
	rapid.Check(t, func(t *rapid.T) {
		total := rapid.IntRange(1, 9999).Draw(t, "total")
		s := running()
		s.Total = total
		s.Done = rapid.IntRange(0, total).Draw(t, "done")
		s.Failed = rapid.IntRange(0, s.Done).Draw(t, "failed")
		s.ETA = time.Duration(rapid.IntRange(0, 24*60-1).Draw(t, "eta")) * time.Minute
		if s.Done == total {
			s.ETA = 0
		}
		if rapid.Bool().Draw(t, "waits") {
			s.Waiting, s.Until = "waiting for the allowance", now.Add(time.Duration(rapid.IntRange(0, 59).Draw(t, "wait"))*time.Second)
		}
		got := p.frame(s, rapid.IntRange(29, 200).Draw(t, "columns"), 0, now)
		squeezed := strings.ReplaceAll(got, " ", "")
		for _, want := range []string{
			fmt.Sprintf("%d/%d", s.Done, total), fmt.Sprintf("%d%%", 100*s.Done/total), terse(s.ETA),
		} {
			if !strings.Contains(strings.Replace(squeezed, "min", "m", 1), want) {
				t.Fatalf("no %q in %q", want, got)
			}
		}
		if n := strconv.Itoa(s.Failed); !strings.Contains(got, n+" failed") && !strings.Contains(got, n+" err") {
			t.Fatalf("no %d failed in %q", s.Failed, got)
		}
	})
}

func TestPercentIsWhole(t *testing.T) {
	for done := range 101 {
		if got := (Status{Done: done, Total: 100}).percent(); got != done {
			t.Errorf("%d of 100 are %d%%", done, got)
		}
	}
}

// The bar of a run goes to any percentage, also back from the end.
func TestBarShowsEveryPercentage(t *testing.T) {
	p := NewProgress(io.Discard, true, nil, nil)
	for percent := 100; percent >= 0; percent-- {
		if got, want := p.drawBar(percent, 20, "text"), fmt.Sprintf("%4d%% [", percent); !strings.HasPrefix(got, want) || !strings.HasSuffix(got, "]  text") {
			t.Errorf("%d%%: %q", percent, got)
		}
	}
}

// The frames as they stand on terminals of several widths.
func TestFramesAreGolden(t *testing.T) {
	now := time.Date(2025, 3, 1, 9, 30, 0, 0, time.Local)
	for _, width := range []int{30, 60, 80, 200} {
		p := NewProgress(io.Discard, true, nil, nil) // one bar, as in a run
		var b strings.Builder
		for i, change := range []func(*Status){
			func(s *Status) { *s = Status{ETA: -1} },
			func(s *Status) { *s = Status{What: "listing the account", ETA: -1} },
			func(s *Status) { *s = Status{What: "listing the account", Done: 100, Total: 1200, ETA: -1} },
			func(s *Status) {
				*s = Status{What: "listing the account", Done: 1200, Total: 1200, ETA: -1, Used: 13, Allowance: 50}
			},
			func(s *Status) {
				*s = Status{Total: 3000, ETA: time.Hour, Allowance: 50, Requests: 26, Took: time.Second}
			},
			func(s *Status) { s.ETA = -1 },
			func(*Status) {},
			func(s *Status) { s.Waiting, s.Until = "waiting for the allowance", now.Add(42*time.Second) },
			func(s *Status) {
				s.Waiting, s.Until = "waiting: the API asked for it (Retry-After)", now.Add(time.Hour)
			},
			func(s *Status) { s.Waiting = "waiting for another run of this account" },
			func(s *Status) { s.Used = 62 },
			func(s *Status) { s.Done, s.Failed, s.ETA = 1200, 12, 200*time.Minute },
			func(s *Status) { s.Done, s.Failed, s.ETA = 2999, 1200, time.Second },
			func(s *Status) { s.Done, s.ETA = 3000, 0 },
			func(s *Status) { s.Total, s.Done, s.Failed, s.ETA = 1000000, 123456, 1234, 52*time.Hour },
		} {
			s := running()
			change(&s)
			line := p.frame(s, width-1, i, now)
			if uniseg.StringWidth(line) >= width {
				t.Errorf("wider than %d: %q", width, line)
			}
			fmt.Fprintln(&b, line)
		}
		golden(t, fmt.Sprintf("frames%d.txt", width), b.String())
	}
}

func TestWaiting(t *testing.T) {
	now := time.Now()
	for _, c := range []struct {
		until time.Time
		want  string
	}{
		{time.Time{}, "waiting: Retry-After"},
		{now.Add(-time.Second), "waiting: Retry-After, 0 s"},
		{now.Add(90 * time.Second), "waiting: Retry-After, 2 min"},
		{now.Add(time.Hour), "waiting: Retry-After, until " + now.Add(time.Hour).Format("15:04:05")},
		{now.Add(30 * time.Hour), "waiting: Retry-After, until " + now.Add(30*time.Hour).Format("Jan 2 15:04")},
	} {
		if got := (Status{Waiting: "waiting: Retry-After", Until: c.until}).waiting(now); got != c.want {
			t.Errorf("until %v: %q, want %q", c.until, got, c.want)
		}
	}
}

func TestFormatDuration(t *testing.T) {
	for _, c := range []struct {
		in   time.Duration
		want string
	}{
		{-time.Hour, "0 s"},
		{0, "0 s"},
		{time.Millisecond, "1 s"},
		{42 * time.Second, "42 s"},
		{59*time.Second + time.Millisecond, "1 min"},
		{time.Minute, "1 min"},
		{58*time.Minute + 20*time.Second, "58 min"},
		{59*time.Minute + 40*time.Second, "1 h 0 min"},
		{200 * time.Minute, "3 h 20 min"},
		{24*time.Hour - time.Second, "1 d 0 h"},
		{52 * time.Hour, "2 d 4 h"},
	} {
		if got := FormatDuration(c.in); got != c.want {
			t.Errorf("FormatDuration(%v) = %q, want %q", c.in, got, c.want)
		}
	}
}
