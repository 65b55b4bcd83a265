package cli

import (
	"bytes"
	"testing"

	"siprotate/report"
)

// A question takes the progress away and brings it back, unless the work has ended.
func TestPause(t *testing.T) {
	a := &app{err: &bytes.Buffer{}, getenv: func(string) string { return "" }}
	shown := func() bool { return a.tell != nil }
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
}
