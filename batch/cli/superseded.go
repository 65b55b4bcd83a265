package cli

import (
	"path/filepath"

	"siprotate/batch"
	"siprotate/batch/journal"
)

// warnOfLater warns that a run which lies beside this one gave rows a newer
// password. It says nothing where one of these runs cannot be read: that is no
// reason not to go on.
func (a *app) warnOfLater(v *journal.View, wants func(batch.Entry) bool, so string) {
	dir, err := filepath.Abs(v.Dir())
	if err != nil {
		return
	}
	info := v.Info()
	past, err := journal.ReadHistory(filepath.Dir(dir), info.Account, info.Host)
	if err != nil {
		return
	}
	rows, later := 0, journal.Rotation{}
	for entry, err := range v.Entries() {
		if err != nil {
			return
		}
		last, rotated := past.Last(entry.Row.UserID, entry.Row.DeviceID)
		if !rotated || filepath.Base(last.Run) == filepath.Base(dir) || !last.At.After(entry.Result.Finished) || !wants(entry) {
			continue
		}
		if rows++; last.At.After(later.At) {
			later = last
		}
	}
	if rows > 0 {
		a.say("warning: %s rotated again since, the latest by %s: %s", was(rows), filepath.Base(later.Run), so)
	}
}

// was is so many rows, and the verb.
func was(rows int) string {
	if rows == 1 {
		return "1 row was"
	}
	return count(rows, "row") + " were"
}
