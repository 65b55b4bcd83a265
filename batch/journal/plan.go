package journal

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"siprotate/batch"
)

// A Head says whose run it is and how it was started. It starts the journal.
type Head struct {
	Run     string `json:"run"`     // the run's name
	Tool    string `json:"tool"`    // the program's name and version
	Account string `json:"account"` // whose devices they are
	Host    string `json:"host"`    // of the API
	Input   string `json:"input"`   // what the rows come from, for people
	Vault   string `json:"vault"`   // the name of the vault; [Create] sets it
	// Scattered rows are sent in another order than the plan's.
	Scattered bool `json:"scattered,omitempty"`
	// Recipients are to whom the vault seals, if it seals to somebody; [Create] sets them.
	Recipients []string        `json:"recipients,omitempty"`
	Settings   json.RawMessage `json:"settings,omitempty"` // how the run was started; means nothing to the journal
}

// A Plan is a journal in the making: rows are added, then it is sealed. Until
// then the journal counts for nothing, and a crash leaves nothing to resume.
// Not safe for concurrent use.
type Plan struct {
	folder *folder
	file   file
	vault  Vault
	out    *planWriter
	state  *state
}

// Create starts the journal of a new run in dir, which it makes with mode 0700
// if it is not there. A journal whose plan was never sealed is replaced; any
// other one is an error, as is a folder that holds other files (ErrNotEmpty),
// that somebody else may write in (ErrUnsafe), or that is in use (ErrLocked).
func Create(dir string, h Head, v Vault) (*Plan, error) { return create(dir, h, v, osDisk{}) }

func create(dir string, h Head, v Vault, d disk) (*Plan, error) {
	folder, err := prepare(dir, d)
	if err != nil {
		return nil, err
	}
	if err := folder.clearUnplanned(); err != nil {
		return nil, errors.Join(err, folder.close())
	}
	f, err := folder.open(os.O_RDWR | os.O_CREATE | os.O_EXCL | os.O_APPEND)
	if err != nil {
		return nil, errors.Join(err, folder.close())
	}
	p := &Plan{folder: folder, file: f, vault: v, out: newPlanWriter(f), state: newState()}
	h.Vault, h.Recipients = v.Name(), recipientsOf(v)
	p.state.header = headerRecord{Type: kindHeader, Format: format, At: time.Now().UTC(), Head: h}
	if _, err := p.out.append(p.state.header); err != nil {
		return nil, errors.Join(p.fail(err), p.Discard())
	}
	return p, nil
}

// clearUnplanned removes a journal whose plan was never sealed: nothing of it
// was sent. The caller holds the lock.
func (d *folder) clearUnplanned() error {
	f, err := d.open(os.O_RDONLY)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, err := d.load(f); !errors.Is(err, ErrUnplanned) {
		return fmt.Errorf("%s holds a run already", d.journal())
	}
	return d.root.Remove(Name)
}

// Add writes a row of the plan. Rows come in order, from number 1. A row that
// has faults is written as [batch.Invalid], without its password: it is never sent.
func (p *Plan) Add(row batch.Row) error {
	var sealed string
	var err error
	if len(row.Faults) == 0 {
		sealed, err = p.vault.Seal(p.state.header.Run, row.Number, row.Password)
	}
	if err == nil {
		_, err = p.out.append(toRowRecord(row, sealed))
	}
	if err != nil {
		return p.fail(err)
	}
	p.state.addRow()
	if len(row.Faults) == 0 {
		return nil
	}
	record := toResultRecord(kindResult, batch.Result{Row: row.Number, Outcome: batch.Invalid, Note: faultsText(row.Faults)})
	at, err := p.out.append(record)
	if err != nil {
		return p.fail(err)
	}
	p.state.addEnd(record, at)
	return nil
}

func faultsText(faults []batch.Fault) string {
	texts := make([]string, len(faults))
	for i, fault := range faults {
		texts[i] = fault.Text
		if fault.Column != "" {
			texts[i] = fault.Column + ": " + fault.Text
		}
	}
	return strings.Join(texts, "; ")
}

// Seal makes the plan durable: once it returns, every password of it is on
// disk. digest tells the input from another one, columns are the names of the
// columns whose cells the rows carry in Extra. The Plan is spent; after an error
// it can only be discarded.
func (p *Plan) Seal(digest string, columns []string) (*Journal, error) {
	p.state.planned = plannedRecord{Type: kindPlanned, Rows: p.state.rows(), Digest: digest, Columns: columns}
	_, err := p.out.append(p.state.planned)
	if err == nil {
		err = p.out.out.Flush()
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err == nil {
		err = p.folder.sync()
	}
	if err != nil {
		return nil, p.fail(err)
	}
	p.state.planEnd = p.out.size
	return newJournal(p.folder, p.file, p.vault, p.state, p.out.size), nil
}

// Discard drops the plan: no password of it stays behind.
func (p *Plan) Discard() error {
	return errors.Join(p.file.Close(), p.folder.root.Remove(Name), p.folder.close())
}

func (p *Plan) fail(err error) error { return fmt.Errorf("write the plan: %w", err) }
