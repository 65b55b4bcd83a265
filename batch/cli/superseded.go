package cli

import (
	"cmp"
	"path/filepath"

	"siprotate/batch"
	"siprotate/batch/journal"
)

// warnOfLater warns that a run which lies beside the one in dir gave rows a newer
// password. It says nothing where one of these runs cannot be read: that is no
// reason not to go on, and what needs the run in dir says so itself.
func (a *app) warnOfLater(dir string, wants func(batch.Entry) bool, so string) {
	rows, latest, err := laterRotations(dir, wants)
	if err == nil && rows > 0 {
		a.say("warning: %s rotated again since, the latest by %s: %s", rowsThat(rows, "was", "were"), filepath.Base(latest.Run), so)
	}
}

// laterRotations counts the wanted rows of a run that another one beside it
// rotated later: after their answer came, or where none came, after the run began.
func laterRotations(dir string, wants func(batch.Entry) bool) (rows int, latest journal.Rotation, err error) {
	v, err := journal.Read(dir, nil)
	if err != nil {
		return 0, latest, err
	}
	defer v.Close()
	if dir, err = filepath.Abs(dir); err != nil {
		return 0, latest, err
	}
	info := v.Info()
	past, err := journal.ReadHistory(filepath.Dir(dir), info.Account, info.Host)
	if err != nil {
		return 0, latest, err
	}
	for entry, err := range v.Entries() {
		if err != nil {
			return 0, latest, err
		}
		last, rotated := past.Last(entry.Row.UserID, entry.Row.DeviceID)
		if !rotated || filepath.Base(last.Run) == filepath.Base(dir) || !last.At.After(cmp.Or(entry.Result.Finished, info.StartedAt)) || !wants(entry) {
			continue
		}
		if rows++; last.At.After(latest.At) {
			latest = last
		}
	}
	return rows, latest, nil
}
