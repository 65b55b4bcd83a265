package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"siprotate/batch"
	"siprotate/batch/handout"
	"siprotate/batch/rotation"
	"siprotate/report"
)

// TestExplain has the errors that the scripts of testdata cannot bring about.
func TestExplain(t *testing.T) {
	for _, test := range []struct {
		err  error
		code int
		hint string
	}{
		{fmt.Errorf("users.csv %w", rotation.ErrChanged), exitUsage, "once nothing writes the file any more; nothing was sent"},
		{errors.New("unexpected"), exitFailure, ""},
		{&rotation.PlanError{Err: &fs.PathError{Op: "write", Path: "journal.jsonl", Err: syscall.EACCES}}, exitFailure, "nothing was sent"},
		{&fs.PathError{Op: "mkdir", Path: "users.run", Err: syscall.EACCES}, exitUsage, "name another folder with -o; nothing was sent"},
		{&fs.PathError{Op: "mkdir", Path: "users.run", Err: syscall.ENOSPC}, exitFailure, "nothing was sent"},
		{&fs.PathError{Op: "mkdir", Path: "users.run", Err: syscall.EIO}, exitFailure, "nothing was sent"},
		{&batch.Stop{Reason: batch.Interrupted, Err: &signalError{syscall.SIGHUP}}, exitSignal + int(syscall.SIGHUP), ""},
		{&batch.Stop{Reason: batch.Interrupted, Err: errors.New("deadline")}, exitStopped, ""},
		{fmt.Errorf("users.run: %w", handout.ErrBusy), exitBusy, "wait until it is done"},
		{fmt.Errorf("users.run: %w", report.ErrBusy), exitBusy, "wait until it is done"},
		{errOldAccepted, exitUnfinished, ""},
		{errOldUnproved, exitUnfinished, ""},
	} {
		code, hint := (&app{getenv: func(string) string { return "" }}).explain(test.err)
		if code != test.code || !strings.HasSuffix(hint, test.hint) || (hint == "") != (test.hint == "") {
			t.Errorf("%v: exit code %d, hint %q; want %d, %q", test.err, code, hint, test.code, test.hint)
		}
	}
}
