package cli

import (
	"cmp"
	"path/filepath"

	"siprotate/batch"
	"siprotate/batch/journal"
)

// warnOfLater warns that a run which lies beside the one in dir gave rows a newer
// password, and returns which. It says nothing where one of these runs cannot be
// read: that is no reason not to go on, and what needs the run in dir says so itself.
func (a *app) warnOfLater(dir string, wants func(batch.Entry) bool, so string) (rows map[int]bool) {
	rows, latest, err := laterRotations(dir, wants)
	if err == nil && len(rows) > 0 {
		a.say("warning: %s rotated again since, the latest by %s: %s", rowsThat(len(rows), "was", "were"), filepath.Base(latest.Run), so)
	}
	return rows
}

// laterRotations finds the wanted rows of a run that another one beside it
// rotated later: after their answer came, or where none came, after the run began.
func laterRotations(dir string, wants func(batch.Entry) bool) (rows map[int]bool, latest journal.Rotation, err error) {
	rows = map[int]bool{}
	if dir, err = filepath.Abs(dir); err != nil {
		return nil, latest, err
	}
	head, err := journal.ReadHead(dir)
	if err != nil {
		return nil, latest, err
	}
	others, err := journal.ReadHistory(filepath.Dir(dir), head.Account, head.Host, filepath.Base(dir))
	if err != nil || others.Runs == 0 {
		return nil, latest, err
	}
	v, err := journal.Read(dir, nil)
	if err != nil {
		return nil, latest, err
	}
	defer v.Close()
	began := v.Info().StartedAt
	for entry, err := range v.Entries() {
		if err != nil {
			return nil, latest, err
		}
		last, rotated := others.Last(entry.Row.UserID, entry.Row.DeviceID)
		if !rotated || !last.At.After(cmp.Or(entry.Result.Finished, began)) || !wants(entry) {
			continue
		}
		if rows[entry.Row.Number] = true; last.At.After(latest.At) {
			latest = last
		}
	}
	return rows, latest, nil
}
