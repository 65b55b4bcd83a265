package cli

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"siprotate/batch"
	"siprotate/batch/directory"
	"siprotate/batch/journal"
)

// A selection is which of the account's devices --all takes.
type selection struct {
	exclude *exclusion       // nil: none
	history *journal.History // nil: none
	young   time.Duration    // what the history rotated less than this ago stays
}

// selectAll makes all devices the input, which is listed later, and finds its
// run directory. What tells the input from another one is how the devices are
// selected, and not which ones these are at the moment.
func (r *rotation) selectAll() error {
	r.src = source{name: "all devices of the account"}
	r.all = &selection{young: time.Duration(r.o.olderThan)}
	sum := "none"
	if r.o.exclude != "" {
		src, err := r.source(r.o.exclude)
		if err != nil {
			return err
		}
		if sum, err = src.sum(); err != nil {
			return usage(err, "")
		}
		if r.all.exclude, err = readExclusion(src); err != nil {
			return err
		}
	}
	if r.o.history != "" {
		var err error
		if r.all.history, err = r.readHistory(r.o.history, r.acc); err != nil {
			return err
		}
	}
	r.src.id = fmt.Sprintf("%x", sha256.Sum256(fmt.Appendf(nil, "all devices, exclude %s, older than %v", sum, r.all.young)))
	if r.o.out == "" {
		r.src.out = r.allDir()
	}
	return nil
}

// allDir returns the newest unfinished run of the same selection in the current
// folder, or the directory of a new one.
func (r *rotation) allDir() string {
	dirs, _ := filepath.Glob("all-*.run") // the pattern is sound
	slices.Sort(dirs)
	for _, dir := range slices.Backward(dirs) {
		switch unfinished, err := r.unfinished(dir); {
		case err != nil:
			r.say("warning: left aside: %v", err)
		case unfinished:
			return dir
		}
	}
	return "all-" + time.Now().Format(time.DateOnly) + ".run"
}

// unfinished reports whether dir holds a run of the selection that ended before
// its last row's turn. One that came to its end and left rows without a verdict
// is none: where a device is gone, there will never be one.
func (r *rotation) unfinished(dir string) (bool, error) {
	v, done, err := journal.Read(dir)
	switch {
	case errors.Is(err, journal.ErrUnplanned), errors.Is(err, journal.ErrNoRun):
		return false, nil
	case err != nil:
		return false, err
	}
	defer done()
	info := v.Info()
	if info.SHA256 != r.src.id || info.Account != r.acc.sid || info.Host != r.acc.host() {
		return false, nil
	}
	pending, _ := v.Pending(false)
	ended := !info.StoppedAt.IsZero() && info.Stopped == ""
	return pending > 0 && !ended, nil
}

// snapshot lists the account, and makes what is selected of it the input.
func (r *rotation) snapshot(ctx context.Context) error {
	client, err := r.client(r.acc, 1)
	if err != nil {
		return err
	}
	var users []directory.User
	err = r.aside(func() (err error) {
		users, err = r.everybody(ctx, r.directory(client, r.al, r.s, r.o))
		return err
	})
	if err != nil {
		return err
	}
	lines, err := r.selected(users)
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return errNothing
	}
	var text bytes.Buffer
	if err := usersCSV(&text, lines); err != nil {
		return &exitError{exitFailure, err, ""}
	}
	r.src.open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text.Bytes())), nil }
	return nil
}

// selected returns the devices of the users that are to be rotated, and says
// how many are left out.
func (r *rotation) selected(users []directory.User) (lines []userLine, err error) {
	var excluded map[string]bool
	if r.all.exclude != nil {
		if excluded, err = r.all.exclude.devices(users); err != nil {
			return nil, err
		}
	}
	out, young := 0, 0
	for _, u := range users {
		left := u
		left.Devices = nil
		for _, d := range u.Devices {
			switch {
			case excluded[batch.DeviceKey(u.ID, d.ID)]:
				out++
			case r.all.rotatedOfLate(u.ID, d.ID):
				young++
			default:
				left.Devices = append(left.Devices, d)
			}
		}
		if len(left.Devices) > 0 {
			lines = append(lines, linesOf(left)...)
		}
	}
	if r.all.exclude != nil {
		r.say("excluded: %s", count(out, "device"))
	}
	if r.all.history != nil {
		r.say("rotated less than %v ago, and left out: %s", &r.o.olderThan, count(young, "device"))
	}
	return lines, nil
}

func (s *selection) rotatedOfLate(userID, deviceID string) bool {
	if s.history == nil {
		return false
	}
	last, known := s.history.Last(userID, deviceID)
	return known && time.Since(last.At) < s.young
}

// readHistory reads the runs in a folder, with errors for the user.
func (a *app) readHistory(folder string, acc endpoint) (*journal.History, error) {
	h, err := journal.ReadHistory(folder, acc.sid, acc.host())
	const hint = "--history wants the folder that holds run directories, such as . for the current one"
	switch {
	case err == nil:
		a.say("history: %s of the account in %s", count(h.Runs, "run"), folder)
		return h, nil
	case errors.Is(err, journal.ErrRun), errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return nil, usage(err, hint)
	}
	return nil, &exitError{exitFailure, fmt.Errorf("read the history: %w", err),
		"what that run rotated is not known; mend it, or move it out of " + folder}
}
