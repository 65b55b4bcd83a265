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

// A recorder stands before the stand-in. It records which passwords were sent
// for which device, and can kill a process at a chosen request.
type recorder struct {
	*exoteltest.Server
	underWay sync.RWMutex // each request holds it for reading

	mu        sync.Mutex
	sent      map[string]map[string]int // by device and password: how many times
	confirmed map[string]bool           // devices that nothing may be sent for any more
	resent    []string                  // devices for which something was

	countdown int // requests until the kill; 0 or less: none is due
	delay     time.Duration
	victim    *process
}

func newRecorder(o exoteltest.Options) *recorder {
	return &recorder{Server: exoteltest.New(o), sent: map[string]map[string]int{}, confirmed: map[string]bool{}}
}

// ServeHTTP lets the stand-in answer. The request that kills is answered only
// after its sender is dead, so that the sender cannot be done before.
func (c *recorder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.underWay.RLock()
	defer c.underWay.RUnlock()
	body, err := io.ReadAll(r.Body)
	r.Body = io.NopCloser(bytes.NewReader(body))
	if err == nil {
		c.record(deviceOf(r.URL.Path), string(body))
	}
	c.Server.ServeHTTP(w, r)
}

// waitIdle returns once no request is under way: one can outlive its program.
func (c *recorder) waitIdle() {
	c.underWay.Lock()
	defer c.underWay.Unlock()
}

func (c *recorder) record(device, body string) {
	c.mu.Lock()
	if c.sent[device] == nil {
		c.sent[device] = map[string]int{}
	}
	c.sent[device][passwordOf(body)]++
	if c.confirmed[device] {
		c.resent = append(c.resent, device)
	}
	c.countdown--
	due, delay, victim := c.countdown == 0, c.delay, c.victim
	c.mu.Unlock()
	if due {
		time.Sleep(delay)
		victim.kill()
	}
}

// killAt starts a process, to be killed a delay after its n-th request came.
func (c *recorder) killAt(n int, delay time.Duration, start func() *process) *process {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.countdown, c.delay, c.victim = n, delay, start()
	return c.victim
}

// confirm says that nothing may be sent for a device from now on.
func (c *recorder) confirm(device string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.confirmed[device] = true
}

// requests returns how many requests came for a device.
func (c *recorder) requests(device string) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, times := range c.sent[device] {
		n += times
	}
	return n
}

// total returns how many requests came.
func (c *recorder) total() (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, passwords := range c.sent {
		for _, times := range passwords {
			n += times
		}
	}
	return n
}

// deviceOf returns the user's and the device's id from the path of a password
// call, /v2/accounts/SID/users/USER/devices/DEVICE/password.
func deviceOf(path string) string {
	part := strings.Split(path, "/")
	return part[5] + "/" + part[7]
}
