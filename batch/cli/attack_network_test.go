//go:build linux

package cli_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"
)

// networkFaults are what a network does to half of the connections.
var networkFaults = []struct {
	name     string
	up, down path
}{
	{name: "late answers", down: path{Latency: 100 * time.Millisecond, Jitter: 100 * time.Millisecond}},
	{name: "requests later than the timeout", up: path{Latency: time.Second}},
	{name: "no answer, then closed", down: path{Cut: true, CutDelay: 50 * time.Millisecond}},
	{name: "no answer", down: path{Stall: true}},
	{name: "no request arrives", up: path{Stall: true}},
	{name: "no answer, then reset", down: path{Cut: true, CutDelay: 5 * time.Millisecond, Reset: true}},
	{name: "no request, then reset", up: path{Cut: true, CutDelay: 5 * time.Millisecond, Reset: true}},
	{name: "closed late", down: path{Linger: 500 * time.Millisecond}},
	{name: "cut in an answer's header", down: path{Cut: true, CutAfter: 100}},
	{name: "cut in an answer's body", down: path{Cut: true, CutAfter: 300}},
	{name: "cut after some answers", down: path{Cut: true, CutAfter: 2000}},
	{name: "cut in a request", up: path{Cut: true, CutAfter: 200}},
	{name: "cut after some requests", up: path{Cut: true, CutAfter: 1000}},
	{name: "1 KB a second", down: path{Piece: 100, Latency: 100 * time.Millisecond}},
	{name: "byte by byte", down: path{Piece: 3, Latency: 2 * time.Millisecond}},
}

// TestAttackNetwork runs through a network that is broken in every way, half of
// the connections at a time, and resumes once it is sound.
func TestAttackNetwork(t *testing.T) {
	t.Parallel()
	n := tried(t, "a broken network")
	for range *attackTimes {
		for i, s := range networkFaults {
			n.times++
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				r := faultless(t, i)
				network := throughNetwork(t, r)
				network.Set(conditions{Up: s.up, Down: s.down, Share: 0.5})
				p := launch{}.start(t, r.base, r.runArgs("--timeout", "400ms")...)
				exits(t, p, 0, 3, 4)
				r.checkRecoverable()
				r.checkReports()
				network.Set(conditions{})
				r.finish()
			})
		}
	}
}

// TestAttackAway lets the API go away in the middle of a run, and come back. It
// costs a run that is patient nothing but time.
func TestAttackAway(t *testing.T) {
	t.Parallel()
	n := tried(t, fmt.Sprintf("the API gone for %v", *attackAway))
	for i := range *attackTimes {
		n.times++
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			r := faultless(t, i)
			network := throughNetwork(t, r)
			args := append(r.runArgs(), "--max-attempts", "100", "--workers", "4")
			p := launch{}.start(t, r.base, args...)
			for r.api.total() < r.rows/2 && !p.exited() {
				time.Sleep(time.Millisecond)
			}
			network.Stop()
			time.Sleep(*attackAway)
			must(t, network.Start())
			exits(t, p, 0)
			r.checkRecoverable()
			r.checkEnd()
		})
	}
}

// throughNetwork puts a network between a run and its API.
func throughNetwork(t *testing.T, r *rotation) *network {
	t.Helper()
	network, err := newNetwork(strings.TrimPrefix(r.base, "http://"))
	must(t, err)
	t.Cleanup(network.Stop)
	r.base = "http://" + network.Addr()
	return network
}
