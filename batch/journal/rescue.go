package journal

import (
	"cmp"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"siprotate/batch"
	"siprotate/batch/durable"
)

// Rescue writes the passwords that are in force or may be, those of the rows
// that are [batch.Rotated] or [batch.Unknown], to a fresh file with mode 0600,
// and returns its path. It is for a run whose journal is lost or can no longer be
// written, and comes before Close. The file stands beside the run
// directory or, where that cannot be, in stateFolder, which is made with
// mode 0700 if need be. Where there is no such row the path is empty.
//
// The file is a CSV that can be an input again, with the columns row, user_id,
// device_id, sip_id, email, password and outcome. Passwords stand in it as they
// stand in the journal. Those of a vault that seals stand in a column sealed and not
// in password: an input that gave them as passwords would set them as they are.
func (j *Journal) Rescue(stateFolder string) (path string, err error) {
	counts := j.Counts()
	if counts[batch.Rotated]+counts[batch.Unknown] == 0 {
		return "", nil
	}
	defer func() { j.folder.noteRescued(path) }()
	path, err = j.rescueInto(filepath.Dir(j.Dir()))
	if err == nil || stateFolder == "" {
		return path, err
	}
	making := os.MkdirAll(stateFolder, 0o700)
	if making != nil {
		return path, errors.Join(err, making)
	}
	other, failed := j.rescueInto(stateFolder)
	if failed == nil {
		if path != "" {
			os.Remove(path) // it holds less
		}
		return other, nil
	}
	return cmp.Or(path, other), errors.Join(err, failed)
}

// A file of this name in the run directory has the path of the rescue file. It is
// there until a session takes the run up again.
const rescuedName = ".rescued"

// noteRescued leaves that file, if the folder is still there.
func (d *folder) noteRescued(path string) {
	if full, err := filepath.Abs(path); err == nil && path != "" {
		_ = d.root.WriteFile(rescuedName, []byte(full), 0o600)
	}
}

// A RescuedError says that a run cannot be read since its journal was lost while
// it worked, and where its passwords were written then. It wraps nothing: no other
// run may take the place of this one.
type RescuedError struct {
	Err    error
	Rescue string // a path
}

func (e *RescuedError) Error() string {
	return fmt.Sprintf("%v; it was lost while the run worked, and the passwords in force stand in %s", e.Err, e.Rescue)
}

// rescued returns the error of a journal that cannot be read, with the path of
// the rescue file if there is one.
func (d *folder) rescued(err error) error {
	if path, reading := d.root.ReadFile(rescuedName); reading == nil {
		return &RescuedError{err, string(path)}
	}
	return err
}

func (j *Journal) rescueInto(folder string) (path string, err error) {
	f, err := os.CreateTemp(folder, filepath.Base(j.Dir())+".rescued-*.csv") // 0600, and new
	if err != nil {
		return "", err
	}
	err = j.writeRescue(f)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = durable.SyncFolder(os.Open, folder)
	}
	return f.Name(), err // what could be written is worth having
}

func (j *Journal) writeRescue(to io.Writer) error {
	sealed := j.View
	sealed.vault = Plain // nothing is opened
	out := csv.NewWriter(to)
	column := "sealed"
	if j.vault.Name() == Plain.Name() {
		column = "password"
	}
	_ = out.Write([]string{"row", "user_id", "device_id", "sip_id", "email", column, "outcome"}) // Error returns the first error
	for entry, err := range sealed.Entries() {
		if err != nil {
			return err
		}
		row, outcome := entry.Row, entry.Result.Outcome
		if !outcome.MayBeInForce() {
			continue
		}
		for _, kept := range append([]batch.Kept{{Password: row.Password}}, entry.Beside...) {
			_ = out.Write([]string{
				strconv.Itoa(row.Number), row.UserID, row.DeviceID, row.SIPID, row.Email, kept.Password.Reveal(), outcome.String(),
			})
		}
	}
	out.Flush()
	return out.Error()
}
