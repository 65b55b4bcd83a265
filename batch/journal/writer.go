package journal

import (
	"bufio"
	"fmt"
	"io"
	"sync"
	"time"
)

// syncWithin is how long a written record may wait for its fsync.
const syncWithin = 10 * time.Millisecond

// A writer appends records to a file. Each append is one write, so that a
// record survives the process as soon as append returns; a goroutine of the
// writer's own syncs what was written within syncWithin. The first error of
// any kind is final: after a failed write or sync nobody knows what the disk
// holds. Safe for concurrent use.
type writer struct {
	file  file
	spare *spare // gets a copy of each record, unless it is nil
	note  func() // is called when a sync fails

	mu     sync.Mutex
	size   int64 // bytes written
	synced int64 // bytes known to be on disk
	err    error // the first error
	buf    []byte

	wrote  chan struct{} // something was written; holds one token
	urgent chan struct{} // somebody waits for a sync; holds one token
	moved  *sync.Cond    // synced or err changed
	closed chan struct{}
	done   sync.WaitGroup
}

// newWriter starts a writer at the end of f, which is size bytes long and synced.
func newWriter(f file, size int64, note func()) *writer {
	w := &writer{
		file: f, note: note, size: size, synced: size,
		wrote: make(chan struct{}, 1), urgent: make(chan struct{}, 1), closed: make(chan struct{}),
	}
	w.moved = sync.NewCond(&w.mu)
	w.done.Go(w.syncer)
	return w
}

// append writes a record and returns the offset of its line and of the line's end.
func (w *writer) append(record any) (from, to int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return 0, 0, w.err
	}
	if w.buf, err = appendLine(w.buf[:0], record); err != nil {
		return 0, 0, w.fail(err)
	}
	from = w.size
	if _, err := w.file.Write(w.buf); err != nil {
		// What was written of the line is cut off again; should that fail too,
		// loading drops it as a torn line.
		_ = w.file.Truncate(from)
		return 0, 0, w.fail(err)
	}
	w.size += int64(len(w.buf))
	if w.spare != nil {
		if _, err := w.spare.Write(w.buf); err != nil {
			return 0, 0, w.fail(err)
		}
	}
	notify(w.wrote)
	return from, w.size, nil
}

// sync returns once the first upTo bytes are on disk.
func (w *writer) sync(upTo int64) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for w.synced < upTo && w.err == nil {
		notify(w.urgent)
		w.moved.Wait()
	}
	return w.err
}

// progress returns how many bytes the file has, how many of them are on disk, and
// the first error.
func (w *writer) progress() (size, synced int64, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.size, w.synced, w.err
}

func (w *writer) syncer() {
	for {
		select {
		case <-w.urgent:
		case <-w.wrote:
			select {
			case <-w.urgent:
			case <-time.After(syncWithin):
			case <-w.closed:
			}
		case <-w.closed:
			return
		}
		w.flush()
	}
}

func (w *writer) flush() {
	size, _, err := w.progress()
	if err == nil {
		if err = w.file.Sync(); err != nil {
			w.note()
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.fail(err)
	} else {
		w.synced = size
	}
	w.moved.Broadcast()
}

// fail keeps the first error. The caller holds mu.
func (w *writer) fail(err error) error {
	if w.err == nil {
		w.err = fmt.Errorf("write the journal: %w", err)
	}
	return w.err
}

// close syncs, ends the goroutine and closes the file.
func (w *writer) close() error {
	size, _, _ := w.progress()
	err := w.sync(size)
	close(w.closed)
	w.done.Wait()
	if w.spare != nil {
		w.spare.Close()
	}
	if closing := w.file.Close(); err == nil {
		err = closing
	}
	return err
}

func notify(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// A planWriter writes records in large pieces, for the plan, which counts for
// nothing until it is whole and synced.
type planWriter struct {
	out  *bufio.Writer
	size int64
	buf  []byte
}

func newPlanWriter(f io.Writer) *planWriter {
	return &planWriter{out: bufio.NewWriterSize(f, 1<<16)}
}

// append writes a record and returns the offset of its line.
func (w *planWriter) append(record any) (from int64, err error) {
	if w.buf, err = appendLine(w.buf[:0], record); err != nil {
		return 0, err
	}
	from = w.size
	n, err := w.out.Write(w.buf)
	w.size += int64(n)
	return from, err
}
