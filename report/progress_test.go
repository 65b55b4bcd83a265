package report

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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

// screen plays the writes on a terminal that knows CR and LF only, and returns
// its lines, the last of them the one of the cursor. It fails on a line that
// a terminal of the given width would wrap.
func (r *recorder) screen(t testing.TB, width int) []string {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := [][]rune{nil}
	column := 0
	for _, c := range strings.Join(r.writes, "") {
		last := len(lines) - 1
		switch c {
		case '\r':
			column = 0
		case '\n':
			lines, column = append(lines, nil), 0
		default:
			if column == len(lines[last]) {
				lines[last] = append(lines[last], ' ')
			}
			lines[last][column] = c
			if column++; column >= width {
				t.Fatalf("wraps at %d columns: %q", width, string(lines[last]))
			}
		}
	}
	var text []string
	for _, line := range lines {
		text = append(text, strings.TrimRight(string(line), " "))
	}
	return text
}

func running() Status {
	return Status{Total: 3000, Done: 120, Failed: 2, PerMinute: 49, ETA: 58 * time.Minute, Used: 12, Allowance: 50}
}

func TestTerminalKeepsMovingWhileItWaits(t *testing.T) {
	for _, width := range []int{60, 100} {
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
				if frame == frames[i] {
					t.Errorf("frame %d does not move: %q", i, frame)
				}
			}
			for _, want := range []string{"120/3000", "2 failed", "waiting for the allowance, 42 s"} {
				if !strings.Contains(frames[0], want) {
					t.Errorf("no %q in %q", want, frames[0])
				}
			}
			if last := frames[len(frames)-1]; !strings.Contains(last, "allowance, 32 s") {
				t.Errorf("no countdown in %q", last)
			}
			if got := r.screen(t, width); len(got) != 1 || got[0] != "" {
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
		got := r.screen(t, 80)
		if len(got) != 3 || got[0] != "before" || got[1] != `first signal: finishing what is in flight\x1b[2J` ||
			!strings.Contains(got[2], "120/3000") {
			t.Errorf("the screen shows %q", got)
		}
		p.Stop()
		p.Println("after")
		if got := r.screen(t, 80); len(got) != 4 || got[2] != "after" {
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
		if got := r.screen(t, 200); !strings.HasSuffix(got[0], "12/50 used") {
			t.Errorf("the screen shows %q", got)
		}
	})
}

// A window that is made smaller must not wrap, from the next frame on.
func TestNarrowedTerminal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var r recorder
		var mu sync.Mutex
		width := 120
		p := NewProgress(&r, true, func() int {
			mu.Lock()
			defer mu.Unlock()
			return width
		}, running)
		p.Start()
		synctest.Wait()
		mu.Lock()
		width = 60
		mu.Unlock()
		wide := len(r.writes) // nothing more comes before the next beat
		p.Println("note")
		time.Sleep(time.Second)
		p.Stop()
		r.writes = r.writes[wide:]
		r.screen(t, 60)
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
		const line = "120/3000 rows, 2 failed, 49 requests/min, about 58 min left, waiting for the allowance\n"
		if got := strings.Join(r.writes, ""); got != line+line {
			t.Errorf("wrote %q", got)
		}
	})
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
	count := rapid.OneOf(rapid.IntRange(-1, 100), rapid.Int())
	rapid.Check(t, func(t *rapid.T) {
		s := Status{
			Total: count.Draw(t, "total"), Done: count.Draw(t, "done"), Failed: count.Draw(t, "failed"),
			PerMinute: rapid.Float64().Draw(t, "rate"),
			ETA:       time.Duration(rapid.Int64().Draw(t, "eta")),
			Used:      count.Draw(t, "used"), Allowance: count.Draw(t, "allowance"),
			Waiting: rapid.String().Draw(t, "waiting"),
		}
		if rapid.Bool().Draw(t, "until") {
			s.Until = now.Add(time.Duration(rapid.Int64().Draw(t, "wait")))
		}
		columns := rapid.IntRange(0, 200).Draw(t, "columns")
		got := frame(s, columns, rapid.IntRange(0, 1000).Draw(t, "beat"), now)
		if size := uniseg.StringWidth(got); size > columns {
			t.Fatalf("%d columns in %d: %q", size, columns, got)
		}
		if Sanitize(got) != got {
			t.Fatalf("harmful: %q", got)
		}
	})
}

func TestFrame(t *testing.T) {
	now := time.Now()
	hour := now.Add(time.Hour)
	for _, c := range []struct {
		columns int
		change  func(*Status)
		want    string
	}{
		{200, func(*Status) {}, `|   4% [>.......................................] 120/3000, 2 failed, 49/min, 58 min left, 12/50 used`},
		{79, func(*Status) {}, `|   4% [..................] 120/3000, 2 failed, 49/min, 58 min left, 12/50 used`},
		{59, func(*Status) {}, `|   4% [..........] 120/3000, 2 failed, 49/min, 58 min left`},
		{59, func(s *Status) { s.Waiting, s.Until = "waiting: Retry-After", hour },
			`| 120/3000, 2 failed, waiting: Retry-After, until ` + hour.Local().Format("15:04:05")},
		{59, func(s *Status) { s.Done, s.ETA, s.Allowance = 0, -1, 0 },
			`|   0% [.........................] 0/3000, 2 failed, 49/min`},
		{59, func(s *Status) { s.Done, s.ETA = 3000, 0 }, `| 100% [============] 3000/3000, 2 failed, 49/min, 0 s left`},
		{59, func(s *Status) { s.Total, s.Done = 0, 0 }, `| 0/0, 2 failed, 49/min, 58 min left, 12/50 used`},
		{12, func(*Status) {}, `| 120/3000`},
	} {
		s := running()
		c.change(&s)
		if got := frame(s, c.columns, 0, now); got != c.want {
			t.Errorf("at %d columns:\n got %s\nwant %s", c.columns, got, c.want)
		}
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
