package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
)

// Purged is the name that the header of a purged journal has in the place of its
// vault's. Such a run can be read with no Vault; any Vault is refused with
// ErrPurged, so that it cannot be resumed.
const Purged = "purged"

// The errors of a purge.
var (
	ErrPurged = errors.New("the passwords were taken out of the run")
	// ErrUnfinished says that rows of a run have no verdict, so that its passwords
	// may be in force or are still to be sent.
	ErrUnfinished = errors.New("the run is not finished")
)

// purgeName is the purged journal until it is in place.
const purgeName = ".journal.purged"

// Purge takes the passwords out of the journal in dir: what else it says stays,
// record for record. The new journal takes the place of the old one at once,
// before Purge removes the other files of the run directory that are named. To
// purge a run again only removes those.
//
// A run that has rows without a verdict is refused with ErrUnfinished, unless it
// is forced. The other errors are those of [Open], less ErrVault.
func Purge(dir string, force bool, others ...string) error {
	folder, err := openRun(dir, osDisk{})
	if err != nil {
		return err
	}
	err = folder.takeLock()
	if err == nil {
		err = folder.purge(force)
	}
	for _, name := range others {
		if err == nil {
			err = folder.discard(name)
		}
	}
	if err == nil {
		err = folder.sync()
	}
	return errors.Join(err, folder.close())
}

func (d *folder) purge(force bool) error {
	if err := d.discard(purgeName); err != nil {
		return err
	}
	f, err := d.root.OpenFile(purgeName, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer d.root.Remove(purgeName) // it is in its place by then, or nowhere
	err = d.copyPurged(f, force)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return d.root.Rename(purgeName, Name)
}

// copyPurged writes the journal without its passwords.
func (d *folder) copyPurged(to *os.File, force bool) error {
	old, err := d.open(os.O_RDONLY)
	if err != nil {
		return err
	}
	defer old.Close()
	out := newPlanWriter(to)
	s, _, err := walk(d.journal(), old, func(line []byte) error {
		line, err := purged(line)
		if err == nil {
			_, err = out.out.Write(line)
		}
		return err
	})
	if err == nil {
		err = out.out.Flush()
	}
	if err != nil {
		return err
	}
	if s.hole.from != 0 {
		return fmt.Errorf("%s: %w: its end is damaged, which a resume takes note of", d.path, ErrUnfinished)
	}
	s.endSession(s.loss(d.kept(s)), s.session.At)
	pending := 0
	for row := range s.rows() {
		if s.pending(row+1, false) {
			pending++
		}
	}
	if pending > 0 && !force {
		return fmt.Errorf("%s: %w: %d of %d rows have no verdict", d.path, ErrUnfinished, pending, s.rows())
	}
	return nil
}

// purged returns a record as a line without what it says of passwords.
func purged(line []byte) ([]byte, error) {
	switch kindOf(line) {
	case kindHeader:
		return rewrite(line, func(r *headerRecord) { r.Vault, r.Recipients = Purged, nil })
	case kindRow:
		return rewrite(line, func(r *rowRecord) { r.Password = "" })
	case kindReissue:
		return rewrite(line, func(r *reissueRecord) { r.Password = "" })
	}
	return append(line[:len(line):len(line)], '\n'), nil
}

func rewrite[R any](line []byte, change func(*R)) ([]byte, error) {
	var record R
	if err := json.Unmarshal(line, &record); err != nil {
		return nil, err
	}
	change(&record)
	return appendLine(nil, record)
}
