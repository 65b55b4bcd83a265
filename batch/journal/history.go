package journal

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"time"

	"siprotate/batch"
)

// A Rotation is when a device got its password, and in which run.
type Rotation struct {
	UserID, DeviceID, SIPID, Email string
	At                             time.Time // zero if none of the runs rotated it
	Run                            string    // the run directory; empty likewise
}

// A History is the latest rotation of each device that the runs know.
type History struct {
	Runs   int // of the account, that were read
	latest map[string]Rotation
}

// ErrRun says that a folder is a run directory itself.
var ErrRun = errors.New("this is the directory of a single run, not a folder of them")

// ReadHistory reads the runs of an account at a host in the run directories that
// folder holds, but for the one named except, if any. Other folders, other
// accounts' runs, and plans that were never finished count for nothing. A run that
// cannot be read is an error, since what it rotated would seem never rotated; the
// errors are otherwise those of [Read], less ErrVault, and ErrRun. No password is
// opened.
func ReadHistory(folder, account, host, except string) (*History, error) {
	if Exists(folder) {
		return nil, fmt.Errorf("%s: %w", folder, ErrRun)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	h := &History{latest: map[string]Rotation{}}
	for _, entry := range entries {
		dir := filepath.Join(folder, entry.Name())
		if !entry.IsDir() || entry.Name() == except || !Exists(dir) {
			continue
		}
		if err := h.add(dir, account, host); err != nil {
			return nil, err
		}
	}
	return h, nil
}

func (h *History) add(dir, account, host string) error {
	view, err := Read(dir, nil)
	if errors.Is(err, ErrUnplanned) {
		return nil
	}
	if err != nil {
		return err
	}
	defer view.Close()
	if info := view.Info(); info.Account != account || info.Host != host {
		return nil
	}
	h.Runs++
	for entry, err := range view.Entries() {
		if err != nil {
			return err
		}
		row, at := entry.Row, entry.Result.Finished
		key := batch.DeviceKey(row.UserID, row.DeviceID)
		latest, known := h.latest[key]
		switch {
		case entry.Result.Outcome == batch.Rotated && at.After(latest.At):
			h.latest[key] = Rotation{row.UserID, row.DeviceID, row.SIPID, row.Email, at, dir}
		case entry.Result.Outcome != batch.Invalid && !known:
			h.latest[key] = Rotation{UserID: row.UserID, DeviceID: row.DeviceID, SIPID: row.SIPID, Email: row.Email}
		}
	}
	return nil
}

// All ranges over the latest rotation of each device that the runs know, in no order:
// also of those that none of them rotated.
func (h *History) All() iter.Seq[Rotation] { return maps.Values(h.latest) }

// Last returns the latest rotation of a device, and whether there was one.
func (h *History) Last(userID, deviceID string) (Rotation, bool) {
	r := h.latest[batch.DeviceKey(userID, deviceID)]
	return r, !r.At.IsZero()
}
