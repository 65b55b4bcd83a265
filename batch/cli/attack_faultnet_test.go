//go:build linux

package cli_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echo serves connections that get back what they send until the test ends, and
// returns a network to it.
func echo(t *testing.T, c conditions) *network {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	n, err := newNetwork(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		n.Stop()
		listener.Close()
	})
	n.Set(c)
	return n
}

func dial(t *testing.T, n *network) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn.(*net.TCPConn)
}

// swap sends text, ends its side, and returns what comes back.
func swap(t *testing.T, conn *net.TCPConn, text string) (string, error) {
	t.Helper()
	if _, err := io.WriteString(conn, text); err != nil {
		return "", err
	}
	conn.CloseWrite() // where it fails, reading does
	back, err := io.ReadAll(conn)
	return string(back), err
}

func TestNetworkPassesEverything(t *testing.T) {
	n := echo(t, conditions{})
	text := strings.Repeat("all of it ", 100_000)
	back := make(chan string)
	conn := dial(t, n)
	go func() {
		all, _ := io.ReadAll(conn)
		back <- string(all)
	}()
	if _, err := io.WriteString(conn, text); err != nil {
		t.Fatal(err)
	}
	conn.CloseWrite()
	if got := <-back; got != text {
		t.Errorf("%d bytes came back of %d", len(got), len(text))
	}
}

func TestNetworkCuts(t *testing.T) {
	const text = "0123456789"
	tests := []struct {
		name string
		c    conditions
		want string
		err  error
	}{
		{"answer", conditions{Down: path{Cut: true, CutAfter: 4}}, "0123", nil},
		{"answer, at once", conditions{Down: path{Cut: true}}, "", nil},
		{"answer, at its end", conditions{Down: path{Cut: true, CutAfter: 10}}, text, nil},
		{"answer, in pieces", conditions{Down: path{Cut: true, CutAfter: 8, Piece: 3}}, "01234567", nil},
		{"request, at once", conditions{Up: path{Cut: true}}, "", nil},
		{"reset", conditions{Down: path{Cut: true, Reset: true}}, "", syscall.ECONNRESET},
		{"reset by the request", conditions{Up: path{Cut: true, Reset: true}}, "", syscall.ECONNRESET},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := swap(t, dial(t, echo(t, tt.c)), text)
			if got != tt.want || !errors.Is(err, tt.err) || (err != nil) != (tt.err != nil) {
				t.Errorf("%q came back, error %v; want %q, %v", got, err, tt.want, tt.err)
			}
		})
	}
}

func TestNetworkTakesItsTime(t *testing.T) {
	const d = 10 * time.Millisecond
	tests := []struct {
		name  string
		c     conditions
		least time.Duration
	}{
		{"both ways", conditions{Up: path{Latency: d}, Down: path{Latency: d}}, 2 * d},
		{"in pieces", conditions{Down: path{Latency: d, Piece: 3}}, 4 * d},
		{"silence before the cut", conditions{Up: path{Cut: true, CutDelay: d}}, d},
		{"late end", conditions{Down: path{Linger: d}}, d},
	}
	for _, tt := range tests {
		start := time.Now()
		swap(t, dial(t, echo(t, tt.c)), "0123456789")
		if took := time.Since(start); took < tt.least {
			t.Errorf("%s: took %v, at least %v are meant", tt.name, took, tt.least)
		}
	}
}

// TestNetworkStallsItsShare lets the second of two connections stall, until the
// conditions change.
func TestNetworkStallsItsShare(t *testing.T) {
	for name, c := range map[string]conditions{
		"up": {Up: path{Stall: true}, Share: 0.5}, "down": {Down: path{Stall: true}, Share: 0.5},
	} {
		t.Run(name, func(t *testing.T) {
			n := echo(t, c)
			sound, stalled := dial(t, n), dial(t, n)
			arrived := make(chan byte, 1)
			go func() {
				var b [1]byte
				stalled.Read(b[:])
				arrived <- b[0]
			}()
			io.WriteString(stalled, "x")
			for range 50 {
				if _, err := io.WriteString(sound, "o"); err != nil {
					t.Fatal(err)
				}
				if _, err := io.ReadFull(sound, make([]byte, 1)); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case b := <-arrived:
				t.Fatalf("%q arrived", b)
			default:
			}
			n.Set(conditions{})
			if b := <-arrived; b != 'x' {
				t.Errorf("%q arrived", b)
			}
		})
	}
}

func TestNetworkStopsAndStarts(t *testing.T) {
	for name, c := range map[string]conditions{
		"sound": {}, "stalled": {Down: path{Stall: true}}, "slow": {Up: path{Latency: time.Hour}},
		"silent": {Up: path{Cut: true, CutDelay: time.Hour}},
	} {
		t.Run(name, func(t *testing.T) {
			n := echo(t, c)
			conn := dial(t, n)
			io.WriteString(conn, "x")
			address := n.Addr()
			n.Stop()
			n.Stop() // changes nothing
			stacks := make([]byte, 1<<20)
			if stacks = stacks[:runtime.Stack(stacks, true)]; bytes.Contains(stacks, []byte("(*network).connect")) {
				t.Errorf("goroutines are left:\n%s", stacks)
			}
			if back, _ := io.ReadAll(conn); len(back) > 0 && name != "sound" {
				t.Errorf("%q came back", back)
			}
			if conn, err := net.Dial("tcp", address); err == nil {
				conn.Close()
				t.Error("it takes connections after it was stopped")
			}
			n.Set(conditions{})
			for range 2 {
				if err := n.Start(); err != nil {
					t.Fatal(err)
				}
			}
			if got, err := swap(t, dial(t, n), "again"); got != "again" || err != nil || n.Addr() != address {
				t.Errorf("%q came back from %s, error %v", got, n.Addr(), err)
			}
		})
	}
}

func TestNetworkWithoutServer(t *testing.T) {
	gone := echo(t, conditions{})
	gone.Stop()
	n, err := newNetwork(gone.Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer n.Stop()
	if got, _ := swap(t, dial(t, n), "x"); got != "" {
		t.Errorf("%q came back", got)
	}
}
