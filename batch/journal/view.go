package journal

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"siprotate/batch"
)

// A View is how a run stands: its plan and what happened to each row. It reads
// rows from the file as they are asked for and keeps a few bytes of each in
// memory. The View of an open [Journal] follows it and may be used at the same
// time; one made by [Read] stays as it was made.
type View struct {
	folder *folder
	file   file
	at     io.ReaderAt // where records are read: the file, or the spare copy of it
	vault  Vault       // nil: passwords stay closed
	state  *state
	length int64
	mu     *sync.Mutex // guards at, state and length
}

// newView returns the View of a journal that was loaded from f.
func newView(d *folder, f file, v Vault, s *state, size int64) *View {
	return &View{folder: d, file: f, at: f, vault: v, state: s, length: size, mu: new(sync.Mutex)}
}

// Read looks at the run in dir, also at one that another process is at work
// on; a request that is under way there shows as [batch.Unknown]. With a nil
// Vault, no password is opened: those of the View are empty. Close the View when
// it is done with. The errors are those of [Open], less ErrLocked.
func Read(dir string, v Vault) (*View, error) { return read(dir, v, (*folder).load) }

func read(dir string, v Vault, load func(*folder, io.Reader) (*state, int64, error)) (*View, error) {
	folder, err := openRun(dir, osDisk{})
	if err != nil {
		return nil, err
	}
	f, err := folder.open(os.O_RDONLY)
	if err != nil {
		return nil, errors.Join(err, folder.close())
	}
	s, size, err := load(folder, f)
	if err == nil {
		err = s.checkVault(folder.journal(), v)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close(), folder.close())
	}
	return newView(folder, f, v, s, size), nil
}

// checkVault sees that v is the vault of the journal.
func (s *state) checkVault(path string, v Vault) error {
	switch {
	case v == nil:
		return nil
	case s.header.Vault == Purged:
		return fmt.Errorf("%s: %w", path, ErrPurged)
	case v.Name() != s.header.Vault:
		return fmt.Errorf("%s: %w: as %q, not as %q", path, ErrVault, s.header.Vault, v.Name())
	case !sameSet(recipientsOf(v), s.header.Recipients):
		return fmt.Errorf("%s: %w: to other recipients", path, ErrVault)
	}
	return nil
}

// ReadHead says whose run dir holds, from the first record of its journal
// alone. The errors are those of [Open], less ErrLocked, ErrUnplanned and ErrVault.
func ReadHead(dir string) (Head, error) {
	folder, err := openRun(dir, osDisk{})
	if err != nil {
		return Head{}, err
	}
	defer folder.close()
	f, err := folder.open(os.O_RDONLY)
	if err != nil {
		return Head{}, err
	}
	defer f.Close()
	in := newScanner(folder.journal(), f)
	line, _, _, err := in.next()
	s := newState()
	switch {
	case err != nil && !errors.Is(err, io.EOF):
		return Head{}, err
	case !intact(line):
		return Head{}, folder.rescued(in.damaged(0, notTheFirst))
	}
	if err = s.apply(line, 0, 0); err != nil {
		return Head{}, folder.rescued(fmt.Errorf("%s: %w", folder.journal(), err))
	}
	return s.header.Head, nil
}

// Close closes what [Read] opened.
func (v *View) Close() error { return errors.Join(v.file.Close(), v.folder.close()) }

// Current sees that the journal is still the file that the View reads: ErrPurged
// says that another one, without the passwords, took its place.
func (v *View) Current() error {
	named, err := v.folder.root.Lstat(Name)
	if err != nil {
		return err
	}
	opened, err := v.file.Stat()
	if err == nil && !os.SameFile(named, opened) {
		err = ErrPurged
	}
	return err
}

// Dir returns the run directory.
func (v *View) Dir() string { return v.folder.path }

// Root returns the run directory that was opened, whatever its path names by
// now. It is valid until the View is closed.
func (v *View) Root() *os.Root { return v.folder.root }

// Length returns how many bytes of the journal the View knows. It grows as the
// run goes on, and says which of two Views knows more.
func (v *View) Length() int64 {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.length
}

// An Info says whose run it is, and when it ran.
type Info struct {
	Head
	Digest    string   // tells the input from another
	Columns   []string // the names of the input's other columns
	Rows      int
	Unread    int            // rows of a damaged journal that cannot be read: see Salvage
	EndUnread bool           // nor can the end of its plan: there may be more of them
	Requests  int            // sent so far
	Throttled int            // those refused for exceeding the allowance
	Traffic   []batch.Minute // those of them that are recorded, by time
	Waited    time.Duration  // waited for the allowance, in the sessions that stopped
	StartedAt time.Time      // of the first session; zero if there was none
	StoppedAt time.Time      // of the last one; zero while it runs, or if it died
	Stopped   string         // why the last session stopped early
	Worked    time.Duration  // the sum of the sessions; one that died counts up to its last record
	SessionAt time.Time      // when the last session began
	PID       int            // its process
}

// Info returns what is known of the run as a whole.
func (v *View) Info() Info {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := v.state
	return Info{
		Head: s.header.Head, Digest: s.planned.Digest, Columns: s.planned.Columns, Rows: s.rows(), Unread: s.unread, EndUnread: s.planned.Type == "",
		Requests: s.sends, Throttled: s.throttled, Traffic: s.traffic.sorted(), Waited: s.waited,
		StartedAt: s.startedAt, StoppedAt: s.stoppedAt, Stopped: s.why, Worked: s.worked + s.working(),
		SessionAt: s.session.At, PID: s.session.PID,
	}
}

// Gates returns how many gates were passed, as of now, and whether the run stands
// at one that stayed closed.
func (v *View) Gates() (passed int, closed bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.state.gates, v.state.closed
}

// Live reports whether another process is at work on the run.
func (v *View) Live() bool {
	if !v.Info().StoppedAt.IsZero() {
		return false
	}
	l := flock.New(filepath.Join(v.Dir(), lockName), flock.SetPermissions(0o600))
	free, err := l.TryRLock()
	if err != nil {
		return false
	}
	l.Unlock()
	return !free
}

// Counts returns how many rows stand how.
func (v *View) Counts() map[batch.Outcome]int {
	v.mu.Lock()
	defer v.mu.Unlock()
	counts := map[batch.Outcome]int{}
	for row := range v.state.standing {
		counts[v.state.outcome(row+1)]++
	}
	return counts
}

// Recent returns, in no order, when the answers came in the hour before the
// latest one, as of opening: enough for an allowance whose window is an hour or
// less. A request without a known answer counts at the time of opening.
func (v *View) Recent() []time.Time {
	return slices.DeleteFunc(slices.Clone(v.state.recent.times), v.state.recent.old)
}

// Held returns until when the API asked to send nothing, as of opening; zero if
// it did not.
func (v *View) Held() time.Time { return v.state.held }

// Pending returns how many rows are to be sent, and yields them in order. What
// is pending is decided when a row's turn comes, before it is sent. A failed row
// that is sent again may be given as many new passwords as at first. A password
// that the vault cannot open stands in the row's Sealed, as in [View.Entries]:
// such a row cannot be sent as it is.
func (v *View) Pending(retryFailed bool) (int, iter.Seq2[batch.Row, error]) {
	pending := func(row int) bool {
		v.mu.Lock()
		defer v.mu.Unlock()
		return v.state.pending(row, retryFailed)
	}
	count := 0
	for row := range v.state.rows() {
		if pending(row + 1) {
			count++
		}
	}
	return count, func(yield func(batch.Row, error) bool) {
		for entry, err := range v.entries(pending) {
			row := entry.Row
			row.Attempts = entry.Result.Attempts
			if entry.Result.Outcome == batch.Failed {
				row.Attempts.Reissued = 0
			}
			if !yield(row, err) {
				return
			}
		}
	}
}

// Entries yields every row of the run with how it stands, in input order. Where
// the vault has no key for a row's password (ErrSealed), the row's Password is
// empty and its Sealed is what stands in the journal.
func (v *View) Entries() iter.Seq2[batch.Entry, error] {
	if v.state.salvaged {
		return v.salvage
	}
	return v.entries(func(int) bool { return true })
}

func (v *View) entries(wanted func(row int) bool) iter.Seq2[batch.Entry, error] {
	return func(yield func(batch.Entry, error) bool) {
		v.mu.Lock()
		at := v.at
		v.mu.Unlock()
		plan := newScanner(v.folder.journal(), io.NewSectionReader(at, 0, v.state.planEnd))
		results := newLineReader(v.folder.journal(), at)
		for number := 1; number <= v.state.rows(); {
			line, _, _, err := plan.next()
			if err != nil {
				yield(batch.Entry{}, err)
				return
			}
			if kindOf(line) != kindRow {
				continue
			}
			if wanted(number) {
				entry, err := v.entry(number, line, results)
				if !yield(entry, err) || err != nil {
					return
				}
			}
			number++
		}
	}
}
