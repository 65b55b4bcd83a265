//go:build linux

package cli_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"time"
)

// A network is a TCP forwarder on loopback between a client and a server. It
// delays, stalls, trickles and cuts what passes. It is safe for concurrent use,
// but a Start has to wait for the return of a Stop.
type network struct {
	server string

	mu         sync.Mutex
	address    string // where it listens
	conditions conditions
	changed    chan struct{} // closed when the conditions change
	accepted   int
	stop       func() // nil: stopped
	running    sync.WaitGroup
}

// conditions are what a [network] does to connections. The zero conditions do
// nothing.
type conditions struct {
	Up, Down path    // from the client to the server, and back
	Share    float64 // of the connections, evenly spread, that meet this, in the order they begin; 0: all
}

// A path is what happens to the bytes in one direction.
type path struct {
	Latency, Jitter time.Duration // each piece of data arrives later by Latency and up to Jitter more, uniformly
	Piece           int           // the most bytes that pass at once, with a latency each; 0: as they come
	Stall           bool          // nothing passes
	Cut             bool          // the whole connection ends when a byte comes beyond the first CutAfter
	CutAfter        int           // counted from the connection's begin
	CutDelay        time.Duration // how long it is silent before it ends
	Reset           bool          // the cut resets both ends, instead of closing them
	Linger          time.Duration // the sender's end of data arrives so much later
}

// newNetwork returns a network to the server at an address such as
// "127.0.0.1:8080". It forwards from now on, until [network.Stop].
func newNetwork(server string) (*network, error) {
	n := &network{server: server, address: "127.0.0.1:0", changed: make(chan struct{})}
	return n, n.Start()
}

// Addr returns where clients connect to: a loopback address and a port, which
// stay the same.
func (n *network) Addr() string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.address
}

// Set changes the conditions, of connections under way, too. Those that came
// first stay among those that [conditions.Share] leaves alone, or not.
func (n *network) Set(c conditions) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.conditions = c
	close(n.changed)
	n.changed = make(chan struct{})
}

// Start takes connections again after a Stop. Nothing happens if it does already.
// The error is one of listening.
func (n *network) Start() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.stop != nil {
		return nil
	}
	listener, err := net.Listen("tcp", n.address)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	n.address = listener.Addr().String()
	n.stop = func() {
		cancel()
		listener.Close()
	}
	n.running.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // stopped
			}
			n.mu.Lock()
			number := n.accepted
			n.accepted++
			n.mu.Unlock()
			n.running.Go(func() { n.connect(ctx, number, client.(*net.TCPConn)) })
		}
	})
	return nil
}

// Stop ends all connections and refuses new ones. It returns once all goroutines
// have ended; nothing else is left to be closed.
func (n *network) Stop() {
	n.mu.Lock()
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
	n.mu.Unlock()
	n.running.Wait()
}

// connect serves the connection of a number until both directions have ended, or
// ctx has.
func (n *network) connect(ctx context.Context, number int, client *net.TCPConn) {
	defer client.Close()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	dialed, err := new(net.Dialer).DialContext(ctx, "tcp", n.server)
	if err != nil {
		return
	}
	server := dialed.(*net.TCPConn)
	defer server.Close()
	n.running.Go(func() {
		<-ctx.Done()
		client.Close()
		server.Close()
	})
	var both sync.WaitGroup
	for _, s := range []*stream{{n, number, true, client, server, 0}, {n, number, false, server, client, 0}} {
		both.Go(func() {
			if !s.forward(ctx) {
				cancel()
			}
		})
	}
	both.Wait()
}

// A stream is one direction of a connection.
type stream struct {
	network  *network
	number   int // of the connection, from 0
	up       bool
	from, to *net.TCPConn
	passed   int // bytes
}

// now returns what happens to the stream, until changed is closed.
func (s *stream) now() (p path, changed <-chan struct{}) {
	s.network.mu.Lock()
	defer s.network.mu.Unlock()
	c, n := s.network.conditions, float64(s.number)
	switch met := c.Share == 0 || int((n+1)*c.Share) > int(n*c.Share); {
	case met && s.up:
		p = c.Up
	case met:
		p = c.Down
	}
	return p, s.network.changed
}

// forward passes everything on. It returns false if the connection is to end at
// once, in both directions.
func (s *stream) forward(ctx context.Context) bool {
	buffer := make([]byte, 32<<10)
	for {
		n, err := s.from.Read(buffer)
		if !s.pass(ctx, buffer[:n]) {
			return false
		}
		if err != nil {
			p, _ := s.now()
			return errors.Is(err, io.EOF) && sleep(ctx, p.Linger) && s.to.CloseWrite() == nil
		}
	}
}

func (s *stream) pass(ctx context.Context, data []byte) bool {
	for len(data) > 0 {
		p, changed := s.now()
		size := len(data)
		if p.Piece > 0 {
			size = min(size, p.Piece)
		}
		if p.Cut {
			size = min(size, max(0, p.CutAfter-s.passed))
		}
		switch {
		case p.Stall:
			select {
			case <-changed:
				continue
			case <-ctx.Done():
				return false
			}
		case size == 0:
			return s.cut(ctx, p)
		}
		jitter := time.Duration(rand.Float64() * float64(p.Jitter))
		if !sleep(ctx, p.Latency+jitter) {
			return false
		}
		if _, err := s.to.Write(data[:size]); err != nil {
			return false
		}
		s.passed += size
		data = data[size:]
	}
	return true
}

func (s *stream) cut(ctx context.Context, p path) bool {
	sleep(ctx, p.CutDelay)
	if p.Reset { // closing then sends RST instead of FIN
		s.from.SetLinger(0)
		s.to.SetLinger(0)
	}
	return false
}

// sleep reports whether the time passed before ctx ended.
func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return ctx.Err() == nil
	case <-ctx.Done():
		return false
	}
}
