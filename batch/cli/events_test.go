package cli

import (
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/report"
)

// A question takes the progress away and brings it back, unless the work has ended.
func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lines writeCount
		a := &app{err: &lines, getenv: func(string) string { return "" }}
		shown := func() bool {
			before := lines.Load()
			time.Sleep(time.Minute)
			return lines.Load() > before
		}
		a.pause()()
		if shown() {
			t.Error("a pause shows a progress that there was not")
		}
		a.watch(func() report.Status { return report.Status{} })
		goOn := a.pause()
		if shown() {
			t.Error("the progress is shown during the pause")
		}
		if goOn(); !shown() {
			t.Error("the progress is not shown after the pause")
		}
		goOn = a.pause()
		a.rest()
		if goOn(); shown() {
			t.Error("the progress is shown after the end of the work")
		}
	})
}

type writeCount struct{ atomic.Int64 }

func (c *writeCount) Write(p []byte) (int, error) {
	c.Add(1)
	return len(p), nil
}

// What is over at a time is not said to be over a minute before.
func TestClockUp(t *testing.T) {
	for exact, want := range map[string]string{
		"03:46:00": "03:46", "03:46:00.000000001": "03:47", "03:46:59.9": "03:47", "23:59:30": "00:00",
	} {
		at, err := time.Parse("15:04:05", exact)
		if err != nil {
			t.Fatal(err)
		}
		if got := clockUp(at); got != want {
			t.Errorf("%s is over by %s, want %s", exact, got, want)
		}
	}
}

// While no request gets an answer the progress says so, and knows no end.
func TestProgressOfAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said strings.Builder
		a := &app{err: &said, getenv: func(string) string { return "" }}
		lines := func() string {
			time.Sleep(time.Minute)
			goOn := a.pause() // nobody writes now
			defer goOn()
			defer said.Reset()
			return said.String()
		}
		pacer, err := pace.New(pace.Options{Rate: rotation.DefaultRate})
		if err != nil {
			t.Fatal(err)
		}
		a.hear(rotation.Working{Progress: func() rotation.Progress { return rotation.Progress{Total: 9, Allowance: pacer} }})
		a.hear(rotation.Unanswered{Since: time.Now(), Why: "timeout"})
		if got := lines(); !strings.Contains(got, "no answer since ") || strings.Contains(got, " left") {
			t.Errorf("in an outage: %s", got)
		}
		a.hear(rotation.Answering{})
		if got := lines(); strings.Contains(got, "no answer") || !strings.Contains(got, " left") {
			t.Errorf("after it: %s", got)
		}
		a.rest()
	})
}

// Who asks again once a registrar was of no use is told where somebody does.
func TestProvingStops(t *testing.T) {
	dir := "users.run"
	for _, c := range []struct {
		event   rotation.ProvingStopped
		sending bool
		want    string
	}{
		{rotation.ProvingStopped{}, false, ""},
		{rotation.ProvingStopped{Again: true}, false, "; the next look asks again"},
		{rotation.ProvingStopped{Gated: true, Again: true}, true, "; a gate asks again while it waits"},
		{rotation.ProvingStopped{Gated: true}, true, "; the rotation goes on up to its next gate"},
		{rotation.ProvingStopped{}, true, "; the rotation goes on"},
	} {
		var said strings.Builder
		a := &app{err: &said}
		if c.sending {
			a.working.Store(&dir)
		}
		c.event.Why = "it is away"
		a.hear(c.event)
		if want := "warning: no more passwords are proved: it is away" + c.want + "\n"; said.String() != want {
			t.Errorf("%+v: %q, want %q", c.event, said.String(), want)
		}
	}
}
