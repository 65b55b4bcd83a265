package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"

	"siprotate/batch"
)

// A Head says whose run it is. It starts the journal.
type Head struct {
	Run     string // the run's name
	Tool    string // the program's name and version
	Account string
	Host    string
	Input   string // what the rows come from, for people
}

// A Plan is a journal in the making: rows are added, then it is sealed. Until
// then the journal counts for nothing, and a crash leaves nothing to go on
// with. Not safe for concurrent use.
type Plan struct {
	dir   string
	file  *os.File
	lock  *flock.Flock
	out   *planWriter
	state *state
}

// Create starts the journal of a new run in dir, which it makes with mode 0700
// if it is not there. A journal whose plan was never sealed is replaced; any
// other one is an error, as is a folder that holds other files (ErrNotEmpty),
// that somebody else may write in (ErrUnsafe), or that is in use (ErrLocked).
func Create(dir string, h Head) (*Plan, error) {
	if err := prepare(dir); err != nil {
		return nil, err
	}
	held, err := lock(dir)
	if err != nil {
		return nil, err
	}
	p, err := create(dir, h)
	if err != nil {
		held.Unlock()
		return nil, err
	}
	p.lock = held
	return p, nil
}

func create(dir string, h Head) (*Plan, error) {
	path := filepath.Join(dir, Name)
	if err := clearUnplanned(path); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	p := &Plan{dir: dir, file: f, out: newPlanWriter(f), state: newState(0)}
	p.state.header = headerRecord{
		Type: kindHeader, Format: format, Codec: codec,
		Run: h.Run, Tool: h.Tool, Account: h.Account, Host: h.Host, Input: h.Input, At: time.Now().UTC(),
	}
	if _, err := p.out.append(p.state.header); err != nil {
		return nil, p.fail(err)
	}
	return p, nil
}

// clearUnplanned removes a journal whose plan was never sealed: nothing of it
// was sent. The caller holds the lock.
func clearUnplanned(path string) error {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	if _, _, err := load(path, f, 0); !isUnplanned(err) {
		return fmt.Errorf("%s holds a run already", path)
	}
	return os.Remove(path)
}

// Add writes a row of the plan. Rows come in order, from number 1.
func (p *Plan) Add(row batch.Row) error {
	if _, err := p.out.append(toRowRecord(row)); err != nil {
		return p.fail(err)
	}
	p.state.addRow()
	return nil
}

// Refuse says that a row that was added shall not be sent, and why.
func (p *Plan) Refuse(row int, why string) error {
	record := toResultRecord(kindResult, batch.Result{Row: row, Outcome: batch.Invalid, Note: why})
	at, err := p.out.append(record)
	if err != nil {
		return p.fail(err)
	}
	p.state.addResult(record, at)
	return nil
}

// Seal makes the plan durable: once it returns, every password of it is on
// disk. sha256 is the checksum of the input, columns the names of the columns
// whose cells the rows carry in Extra. The Plan is spent.
func (p *Plan) Seal(sha256 string, columns []string) (*Journal, error) {
	p.state.planned = plannedRecord{Type: kindPlanned, Rows: p.state.rows(), SHA256: sha256, Columns: columns}
	_, err := p.out.append(p.state.planned)
	if err == nil {
		err = p.out.out.Flush()
	}
	if err == nil {
		err = p.file.Sync()
	}
	if err == nil {
		err = syncDir(p.dir)
	}
	if err != nil {
		return nil, p.fail(err)
	}
	p.state.planEnd = p.out.size
	return newJournal(p.dir, p.file, p.lock, p.state, p.out.size), nil
}

// Discard drops the plan: no password of it stays behind.
func (p *Plan) Discard() error {
	p.file.Close()
	err := os.Remove(filepath.Join(p.dir, Name))
	p.lock.Unlock()
	return err
}

func (p *Plan) fail(err error) error { return fmt.Errorf("write the plan: %w", err) }
