package rotation

import (
	"fmt"
	"io"
	"iter"
	"slices"

	"siprotate/batch"
	"siprotate/batch/handout"
	"siprotate/batch/journal"
	"siprotate/report"
)

// A sealer is a vault of a sealed run: no password of the run stands on a disk in
// plain. Without an identity it opens what this process sealed, or learned.
type sealer interface {
	journal.Vault
	// Encrypt returns a writer that seals what it is given as a whole.
	Encrypt(io.Writer) (io.WriteCloser, error)
	// Learn tells the password that was sealed for a row.
	Learn(run string, row int, sealed string, password batch.Secret)
}

// SealedCredentials is the file that takes the place of [report.CredentialsCSV] in
// a sealed run: the same CSV, sealed as a whole, with a column sealed. A password
// that this process could not open stands there as it stands in the journal.
const SealedCredentials = "credentials.csv.age"

// formatsFor returns the formats as a vault wants them: credentials are sealed if
// it seals, and left out where there is no vault, since no password is known then.
func formatsFor(vault journal.Vault, formats []report.Format) []report.Format {
	s, sealed := vault.(sealer)
	if vault != nil && !sealed {
		return formats
	}
	i := slices.IndexFunc(formats, func(f report.Format) bool { return f.File == report.CredentialsCSV.File })
	switch {
	case i < 0:
		return formats
	case vault == nil:
		return slices.Delete(slices.Clone(formats), i, i+1)
	}
	formats = slices.Clone(formats)
	formats[i].File = SealedCredentials
	formats[i].New = func(w io.Writer) report.View { return &sealedView{sealer: s, to: w} }
	return formats
}

// A sealedView writes [SealedCredentials].
type sealedView struct {
	sealer sealer
	to     io.Writer
	sealed io.WriteCloser
	csv    handout.Writer
}

func (v *sealedView) Begin(run report.Run) (err error) {
	if v.sealed, err = v.sealer.Encrypt(v.to); err != nil {
		return err
	}
	if run.BOM {
		_, err = io.WriteString(v.sealed, "\ufeff")
	}
	v.csv = handout.SealedCSV.New(v.sealed, run.Columns)
	return err
}

func (v *sealedView) Entry(e *report.Entry) error {
	for _, c := range handout.Of(&e.Entry) {
		if err := v.csv.Write(&c); err != nil {
			return err
		}
	}
	return nil
}

func (v *sealedView) End(report.Digest) error {
	if err := v.csv.Close(); err != nil {
		return err
	}
	return v.sealed.Close()
}

// learn tells the vault of a sealed run the passwords that the source gave: it is
// still the same source, so they are those in the journal.
func (r Rotation) learn(j *journal.Journal, src Source) error {
	s, sealed := r.Vault.(sealer)
	if !sealed {
		return nil
	}
	given := map[int]batch.Secret{}
	for row, err := range src.Rows() {
		if err != nil {
			return changed(src, err)
		}
		if !row.Password.Empty() {
			given[row.Number] = row.Password
		}
	}
	info := j.Info()
	if digest, err := src.Digest(); err != nil || digest != info.Digest {
		return changed(src, err)
	}
	for e, err := range j.Entries() {
		if err != nil {
			return err
		}
		if password, known := given[e.Row.Number]; known && e.Row.Sealed != "" && e.Row.PasswordSource == batch.Provided {
			s.Learn(info.Run, e.Row.Number, e.Row.Sealed, password)
		}
	}
	return nil
}

// renew gives a new password to each row whose own nobody can open. It is in the journal,
// sealed, before the row is sent; one before it that may be in force stays there.
//
// A request of an earlier session that is still on its way may then take effect
// after the one that is confirmed. That takes a server that sits on it from the
// crash until after the resumed run; an identity rules it out.
func (r Rotation) renew(j *journal.Journal, rows iter.Seq2[batch.Row, error]) iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		for row, err := range rows {
			if err == nil && row.Sealed != "" {
				err = r.replace(j, &row)
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

func (r Rotation) replace(j *journal.Journal, row *batch.Row) error {
	if err := r.draw(row); err != nil {
		return err
	}
	row.Sealed, row.Attempts.Refused = "", 0
	return j.Replace(row)
}

// warnOfRenewals says how many of the rows renew will give new passwords.
func (r Rotation) warnOfRenewals(rows iter.Seq2[batch.Row, error]) {
	if _, sealed := r.Vault.(sealer); !sealed {
		return
	}
	renewed, given := 0, 0
	for row, err := range rows {
		if err != nil {
			return // whoever sends them meets it, too
		}
		if row.Sealed == "" {
			continue
		}
		renewed++
		if row.PasswordSource == batch.Provided {
			given++
		}
	}
	if renewed == 0 {
		return
	}
	text := fmt.Sprintf("without an identity the passwords of an earlier session cannot be opened: %d of the rows to send get new ones", renewed)
	if given > 0 {
		text += fmt.Sprintf(", also in the place of %d that the input gave", given)
	}
	r.Events(Warning{text})
}

// Purge takes the passwords out of the run in dir: out of its journal, and with the
// files that hold them. The reports stay as they are. The errors are those of
// [journal.Purge].
func Purge(dir string, force bool) error {
	files := append(filesOf(report.CredentialsCSV.File), filesOf(SealedCredentials)...)
	files = append(files, ".journal.spare", reportLength) // the journal is shorter now
	return journal.Purge(dir, force, files...)
}
