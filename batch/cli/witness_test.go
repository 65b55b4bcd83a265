package cli_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"siprotate/exotel/exoteltest"
)

// A witness stands before the stand-in. It remembers which passwords were sent
// for which device, and strikes a process down at a chosen request.
type witness struct {
	*exoteltest.Server

	mu        sync.Mutex
	sent      map[string]map[string]int // by device and password: how many times
	confirmed map[string]bool           // devices that nothing may be sent for any more
	resent    []string                  // devices for which something was

	countdown int // requests until the strike; 0: none is due
	delay     time.Duration
	victim    *process
}

func newWitness(o exoteltest.Options) *witness {
	return &witness{Server: exoteltest.New(o), sent: map[string]map[string]int{}, confirmed: map[string]bool{}}
}

// ServeHTTP lets the stand-in answer. The request that strikes is answered only
// after its sender is dead, so that the sender cannot be done before.
func (w *witness) ServeHTTP(out http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err == nil {
		w.see(deviceOf(r.URL.Path), string(body))
	}
	w.Server.ServeHTTP(out, r)
}

func (w *witness) see(device, body string) {
	w.mu.Lock()
	if w.sent[device] == nil {
		w.sent[device] = map[string]int{}
	}
	w.sent[device][passwordOf(body)]++
	if w.confirmed[device] {
		w.resent = append(w.resent, device)
	}
	w.countdown--
	strikes, delay, victim := w.countdown == 0, w.delay, w.victim
	w.mu.Unlock()
	if strikes {
		time.Sleep(delay)
		victim.kill()
	}
}

// strike starts a process, to be killed a delay after its n-th request came.
func (w *witness) strike(n int, delay time.Duration, start func() *process) *process {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.countdown, w.delay, w.victim = n, delay, start()
	return w.victim
}

// spare starts a process that is not to be killed.
func (w *witness) spare(start func() *process) *process { return w.strike(0, 0, start) }

// confirm says that nothing may be sent for a device from now on.
func (w *witness) confirm(device string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.confirmed[device] = true
}

// deviceOf returns the user's and the device's id from the path of a password
// call, /v2/accounts/SID/users/USER/devices/DEVICE/password.
func deviceOf(path string) string {
	part := strings.Split(path, "/")
	return part[5] + "/" + part[7]
}
