package cli

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// An asyncWriter writes to a stream for people without ever holding up who writes: a
// terminal that is stopped, or a pipe that nobody reads, must not keep a run from
// its work. What is written waits its turn; once too much waits, more is dropped, and
// the stream says how much.
type asyncWriter struct {
	stream  *os.File
	queue   chan []byte
	done    chan struct{}
	dropped atomic.Int64
}

const (
	asyncQueue    = 4096            // writes that may wait
	asyncPatience = 2 * time.Second // for what waits at the end
)

func newAsyncWriter(stream *os.File) *asyncWriter {
	w := &asyncWriter{stream: stream, queue: make(chan []byte, asyncQueue), done: make(chan struct{})}
	go w.pump()
	return w
}

// Write never fails and never blocks.
func (w *asyncWriter) Write(p []byte) (int, error) {
	select {
	case w.queue <- bytes.Clone(p):
	default:
		w.dropped.Add(1)
	}
	return len(p), nil
}

func (w *asyncWriter) Fd() uintptr { return w.stream.Fd() }

func (w *asyncWriter) pump() {
	defer close(w.done)
	for text := range w.queue {
		if text == nil {
			return
		}
		_, _ = w.stream.Write(text) // there is nobody to tell
		if n := w.dropped.Swap(0); n > 0 {
			fmt.Fprintf(w.stream, "siprotate: %d lines are missing here, since nobody read them\n", n)
		}
	}
}

// finish waits until all was written, if somebody reads.
func (w *asyncWriter) finish() {
	patience := time.After(asyncPatience)
	select {
	case w.queue <- nil:
	case <-patience:
		return
	}
	select {
	case <-w.done:
	case <-patience:
	}
}
