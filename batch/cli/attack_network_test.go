//go:build linux

package cli_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
)

// toxics are what a network does to connections, as toxiproxy spells it.
var toxics = []string{
	`{"type": "latency", "attributes": {"latency": 100, "jitter": 100}}`,
	`{"type": "latency", "stream": "upstream", "attributes": {"latency": 1000}}`, // above the timeout
	`{"type": "timeout", "attributes": {"timeout": 50}}`,
	`{"type": "timeout", "attributes": {"timeout": 0}}`,
	`{"type": "timeout", "stream": "upstream", "attributes": {"timeout": 0}}`,
	`{"type": "reset_peer", "attributes": {"timeout": 5}}`,
	`{"type": "reset_peer", "stream": "upstream", "attributes": {"timeout": 5}}`,
	`{"type": "slow_close", "attributes": {"delay": 500}}`,
	`{"type": "limit_data", "attributes": {"bytes": 100}}`,
	`{"type": "limit_data", "attributes": {"bytes": 300}}`,
	`{"type": "limit_data", "attributes": {"bytes": 2000}}`,
	`{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 200}}`,
	`{"type": "limit_data", "stream": "upstream", "attributes": {"bytes": 1000}}`,
	`{"type": "bandwidth", "attributes": {"rate": 1}}`,
	`{"type": "slicer", "attributes": {"average_size": 3, "size_variation": 2, "delay": 2000}}`,
}

// TestAttackNetwork runs through a network that is broken in every way, half of
// the connections at a time, and goes on once it is sound.
func TestAttackNetwork(t *testing.T) {
	n := tried(t, "a broken network")
	for range *attackTimes {
		for i, toxic := range toxics {
			n.times++
			t.Run(toxic, func(t *testing.T) {
				t.Parallel()
				r := calm(t, i)
				network := between(t, r)
				sick, err := network.Toxics.AddToxicJson(strings.NewReader(strings.Replace(toxic, "{", `{"toxicity": 0.5, `, 1)))
				must(t, err)
				p := r.far.spare(func() *process { return launch{}.start(t, r.base, r.runArgs("--timeout", "400ms")...) })
				exits(t, p, 0, 3, 4)
				r.survive()
				r.reported()
				must(t, network.Toxics.RemoveToxic(t.Context(), sick.Name))
				r.finish()
			})
		}
	}
}

// TestAttackAway lets the far side go away in the middle of a run, and come
// back. It costs a run that is patient nothing but time.
func TestAttackAway(t *testing.T) {
	n := tried(t, fmt.Sprintf("the far side gone for %v", *attackAway))
	for i := range *attackTimes {
		n.times++
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			t.Parallel()
			r := calm(t, i)
			network := between(t, r)
			args := append(r.runArgs(), "--max-attempts", "100", "--workers", "4")
			p := r.far.spare(func() *process { return launch{}.start(t, r.base, args...) })
			for r.far.total() < r.rows/2 && !p.exited() {
				time.Sleep(time.Millisecond)
			}
			network.Stop()
			time.Sleep(*attackAway)
			must(t, network.Start())
			exits(t, p, 0)
			r.survive()
			r.ended()
		})
	}
}

// total returns how many requests came.
func (w *witness) total() (n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, passwords := range w.sent {
		for _, times := range passwords {
			n += times
		}
	}
	return n
}

// between puts a network between a run and its far side.
func between(t *testing.T, r *rotation) *toxiproxy.Proxy {
	t.Helper()
	server := &toxiproxy.ApiServer{Collection: toxiproxy.NewProxyCollection(), Metrics: toxiproxy.NewMetricsContainer(nil)}
	silence(&server.Logger)
	network := toxiproxy.NewProxy(server, t.Name(), "127.0.0.1:0", strings.TrimPrefix(r.base, "http://"))
	must(t, network.Start())
	t.Cleanup(network.Stop)
	r.base = "http://" + network.Listen
	return network
}

// silence sets a logger to the zero one, which writes nowhere.
func silence[L any](logger **L) { *logger = new(L) }
