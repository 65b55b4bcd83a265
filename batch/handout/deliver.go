package handout

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"siprotate/batch"
	"siprotate/batch/durable"
	"siprotate/batch/pace"
)

// DeliveriesName is the file of a run directory that records what was delivered.
const (
	DeliveriesName = "deliveries.jsonl"
	LockName       = ".deliveries.lock" // whose lock a delivery holds
)

// ErrBusy says that another process delivers passwords of the run.
var ErrBusy = errors.New("another process delivers passwords of this run")

// A Delivery says to whom passwords are delivered. Command is required; the zero
// value of the rest has a meaning.
type Delivery struct {
	Command     string          // for the system's shell: /bin/sh -c, or cmd /C
	Parallel    int             // commands at once; 0: one
	Timeout     time.Duration   // for one command; 0: batch.DefaultTimeout
	MaxFailures batch.Threshold // as for a run
	Environ     []string        // of the command
	Failed      func(row int, err error)
	// Failed hears of each row whose command failed, one after the other; may be nil.
}

// Delivered counts what became of credentials.
type Delivered struct {
	Before    int // delivered by an earlier call
	Delivered int // by this one
	Failed    int
	Left      int // not tried
}

// Deliver runs the command once for each credential, with a JSON object on its
// standard input and no password in its arguments or environment. A command that ends
// with 0 took it, and that is recorded in the run directory before the next: the
// same command again is given what it did not take, or what has been sent to the
// API since. A command may be given a credential twice, if this process dies
// between the two.
//
// The error is nil if every command was run, a [*batch.Stop] if a rule or ctx
// stopped them, or ErrBusy. Commands under way are waited for.
func Deliver(ctx context.Context, root *os.Root, d Delivery, columns []string, credentials iter.Seq2[Credential, error]) (Delivered, error) {
	log, err := openDeliveries(root, d.Command)
	if err != nil {
		return Delivered{}, err
	}
	done := Delivered{}
	var items []item
	for c, err := range credentials {
		if err != nil {
			return Delivered{}, errors.Join(err, log.close())
		}
		if i := (item{keyOf(&c), toObject(&c, columns)}); log.done[i.key] {
			done.Before++
		} else {
			items = append(items, i)
		}
	}
	log.items = items
	rows := func(yield func(batch.Row, error) bool) {
		for i := range items {
			if !yield(batch.Row{Number: i + 1}, nil) {
				return
			}
		}
	}
	pacer, err := pace.New(pace.Options{Rate: pace.Unlimited})
	if err == nil {
		err = batch.Run(ctx, batch.Config{
			Pacer: pacer, Workers: max(1, d.Parallel), Timeout: d.Timeout, MaxAttempts: 1, MaxFailures: d.MaxFailures,
			Observe: func(_ batch.Row, r batch.Result) {
				if r.Outcome == batch.Rotated {
					done.Delivered++
				} else {
					done.Failed++
				}
			},
		}, rows, &runner{d: d, items: items}, log)
	}
	done.Left = len(items) - done.Delivered - done.Failed
	return done, errors.Join(err, log.close())
}

// An item is a credential as a command is given it. The engine knows it as the
// row whose number is its place, from 1.
type item struct {
	key    key
	object object
}

// A key tells a credential from another, and from itself once the row was sent
// again. It says nothing of the password.
type key struct {
	Row      int           `json:"row"`
	Beside   int           `json:"beside,omitempty"`
	Outcome  batch.Outcome `json:"outcome"`
	Attempts int           `json:"attempts"`
}

func keyOf(c *Credential) key {
	return key{c.Row.Number, c.Beside, c.Result.Outcome, c.Result.Attempts.Count}
}

// A runner is the engine's Setter: it runs the command for a row.
type runner struct {
	d     Delivery
	items []item
	mu    sync.Mutex
}

// A commandError says that a command did not take what it was given. Nothing
// else is known of it, so it is neither fatal nor in doubt.
type commandError struct{ what string }

func (e *commandError) Error() string { return e.what }

// Ambiguous is false: a command that failed is run again by the next delivery.
func (*commandError) Ambiguous() bool { return false }

func (r *runner) SetPassword(ctx context.Context, row batch.Row) (batch.Receipt, error) {
	o := r.items[row.Number-1].object
	err := r.run(ctx, &o)
	if err != nil && r.d.Failed != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.d.Failed(o.Row, err)
	}
	return batch.Receipt{}, err
}

func (r *runner) run(ctx context.Context, o *object) error {
	var input bytes.Buffer
	if err := newEncoder(&input).Encode(o); err != nil {
		return &commandError{"could not be written as JSON"}
	}
	stderr := &captured{}
	cmd := shell(r.d.Command)
	cmd.Stdin, cmd.Stderr, cmd.Env = &input, stderr, r.d.Environ
	cmd.WaitDelay = time.Second // for what the command left behind with our pipes in hand
	if err := cmd.Start(); err != nil {
		return &commandError{err.Error()}
	}
	over := context.AfterFunc(ctx, func() { kill(cmd.Process) })
	err := cmd.Wait()
	switch {
	case !over() && err != nil:
		return &commandError{"took too long, and was ended"}
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	}
	what := err.Error()
	if said := stderr.last(o.Password); said != "" {
		what += ": " + said
	}
	return &commandError{what}
}

// A captured is what a command writes, up to some bytes, to quote the last line.
type captured struct{ text []byte }

const maxCaptured = 16 << 10

func (t *captured) Write(p []byte) (int, error) {
	t.text = append(t.text, p[:min(len(p), maxCaptured-len(t.text))]...)
	return len(p), nil
}

// last returns the last whole line, with the password struck out however JSON
// writes it. A command that writes it in yet another way writes it to its own risk:
// so a line in which a part of it stands is not quoted at all.
func (t *captured) last(password string) string {
	text := string(t.text)
	if len(t.text) == maxCaptured { // the last line may be cut in the middle of the password
		text = text[:strings.LastIndexByte(text, '\n')+1]
	}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	line := strings.TrimSpace(lines[len(lines)-1])
	if password != "" {
		quoted, _ := escapeJSON(password)
		line = strings.ReplaceAll(line, strings.Trim(quoted, `"`), redacted)
		line = strings.ReplaceAll(line, password, redacted)
	}
	for i := range len(password) - shortPart + 1 {
		if strings.Contains(line, password[i:i+shortPart]) {
			return redacted
		}
	}
	return line
}

// shortPart is how many characters of a password in a row give too much away.
const shortPart = 4

const redacted = "[redacted]"

// deliveries is the record of what was delivered to one command, and the engine's
// Log.
type deliveries struct {
	file    *os.File
	lock    *flock.Flock
	command string // its hash: the text may hold a secret
	done    map[key]bool
	items   []item
}

// A delivered is a line of the record.
type delivered struct {
	Command string    `json:"command"`
	At      time.Time `json:"at"`
	key
}

func openDeliveries(root *os.Root, command string) (*deliveries, error) {
	lock := flock.New(filepath.Join(root.Name(), LockName), flock.SetPermissions(0o600))
	held, err := lock.TryLock()
	if err != nil {
		return nil, err
	}
	if !held {
		return nil, fmt.Errorf("%s: %w", root.Name(), ErrBusy)
	}
	sum := sha256.Sum256([]byte(command))
	d := &deliveries{lock: lock, command: hex.EncodeToString(sum[:]), done: map[key]bool{}}
	d.file, err = root.OpenFile(DeliveriesName, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err == nil {
		err = d.load()
	}
	if err == nil {
		err = durable.SyncFolder(root.Open, ".")
	}
	if err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

// load reads the record. A line that a crash cut short counts for nothing: what it
// stood for is delivered again.
func (d *deliveries) load() error {
	if info, err := d.file.Stat(); err != nil || !info.Mode().IsRegular() {
		return errors.Join(fmt.Errorf("%s is not a plain file", d.file.Name()), err)
	}
	in := bufio.NewReader(d.file)
	for {
		line, err := in.ReadBytes('\n')
		var record delivered
		if json.Unmarshal(line, &record) == nil && record.Command == d.command {
			d.done[record.key] = true
		}
		switch {
		case errors.Is(err, io.EOF) && len(line) > 0:
			_, err = d.file.Write([]byte("\n"))
			return err
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
	}
}

func (*deliveries) Sending(*batch.Row, time.Time) error { return nil }
func (*deliveries) Reissue(*batch.Row) error            { return fs.ErrInvalid } // no password is drawn here
func (*deliveries) Tried(batch.Result) error            { return nil }

// Finish records a row that was delivered, and syncs.
func (d *deliveries) Finish(r batch.Result) error {
	if r.Outcome != batch.Rotated {
		return nil
	}
	line, err := json.Marshal(delivered{d.command, r.Finished.UTC(), d.items[r.Row-1].key})
	if err == nil {
		_, err = d.file.Write(append(line, '\n'))
	}
	if err == nil {
		err = d.file.Sync()
	}
	if err != nil {
		return fmt.Errorf("record what was delivered: %w", err)
	}
	return nil
}

func (d *deliveries) close() error {
	var err error
	if d.file != nil {
		err = d.file.Close()
	}
	return errors.Join(err, d.lock.Unlock())
}
