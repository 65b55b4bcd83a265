package cli

import (
	"bytes"
	"fmt"
	"os"
	"sync/atomic"
	"time"
)

// A voice writes to a stream for people without ever holding the speaker up: a
// terminal that is stopped, or a pipe that nobody reads, must not keep a run from
// its work. What is said waits its turn; once too much waits, more is left out,
// and the listener is told how much.
type voice struct {
	stream  *os.File
	queue   chan []byte
	done    chan struct{}
	leftOut atomic.Int64
}

const (
	voiceQueue    = 4096            // writes that may wait
	voicePatience = 2 * time.Second // for what waits at the end
)

func newVoice(stream *os.File) *voice {
	v := &voice{stream: stream, queue: make(chan []byte, voiceQueue), done: make(chan struct{})}
	go v.speak()
	return v
}

// Write never fails and never blocks.
func (v *voice) Write(p []byte) (int, error) {
	select {
	case v.queue <- bytes.Clone(p):
	default:
		v.leftOut.Add(1)
	}
	return len(p), nil
}

// Fd returns the stream's descriptor.
func (v *voice) Fd() uintptr { return v.stream.Fd() }

func (v *voice) speak() {
	defer close(v.done)
	for text := range v.queue {
		if text == nil {
			return
		}
		_, _ = v.stream.Write(text) // whom should it be told
		if n := v.leftOut.Swap(0); n > 0 {
			fmt.Fprintf(v.stream, "siprotate: %d lines are left out here, since nobody read them\n", n)
		}
	}
}

// finish waits until all was said, if somebody listens.
func (v *voice) finish() {
	patience := time.After(voicePatience)
	select {
	case v.queue <- nil:
	case <-patience:
		return
	}
	select {
	case <-v.done:
	case <-patience:
	}
}
