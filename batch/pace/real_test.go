package pace_test

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"siprotate/batch/pace"
)

var real = flag.Bool("real", false, "TestRealServers runs the whole table at its own pace, which takes five minutes, each with Even, too")

// A limiterConfig is a program with a limiter, and its configuration, in which
// PORT, DIR and the rest are replaced.
type limiterConfig struct {
	program string
	args    []string
	text    string
}

var nginx = limiterConfig{"nginx", []string{"-e", "stderr", "-p", "DIR", "-c", "CONFIG"}, `
daemon off;
master_process off;
pid DIR/pid;
error_log stderr crit;
events {}
http {
	access_log off;
	client_body_temp_path DIR/1; proxy_temp_path DIR/2; fastcgi_temp_path DIR/3; uwsgi_temp_path DIR/4; scgi_temp_path DIR/5;
	limit_req_zone $binary_remote_addr zone=all:1m rate=LIMITr/m;
	limit_req_status 429;
	server {
		listen 127.0.0.1:PORT;
		root DIR;
		location /limited { limit_req zone=all BURST; }
	}
}`}

var haproxy = limiterConfig{"haproxy", []string{"-db", "-f", "CONFIG"}, `
defaults
	mode http
	timeout client 1m
	timeout server 1m
	timeout connect 1s
frontend all
	bind 127.0.0.1:PORT
	stick-table type ip size 1k expire 1h store http_req_rate(WINDOW)
	http-request return status 200 unless { path /limited }
	http-request track-sc0 src
	http-request return status 429 hdr Retry-After WAIT if { sc_http_req_rate(0) gt LIMIT }
	http-request return status 200
`}

// start starts the program and returns its address. It ends with the test.
func (c limiterConfig) start(t *testing.T, values ...string) string {
	t.Helper()
	path, err := exec.LookPath(c.program)
	if err != nil {
		if path, err = exec.LookPath("/usr/sbin/" + c.program); err != nil {
			t.Skipf("%s is not installed", c.program)
		}
	}
	// None of those that a system gives to connections, one of which could take it.
	port := strconv.Itoa(10_000 + rand.IntN(20_000))
	dir := t.TempDir()
	config := filepath.Join(dir, "config")
	fill := strings.NewReplacer(append(values, "PORT", port, "DIR", dir, "CONFIG", config)...).Replace
	for name, text := range map[string]string{config: fill(c.text), filepath.Join(dir, "limited"): "granted"} {
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var args []string
	for _, arg := range c.args {
		args = append(args, fill(arg))
	}
	var log bytes.Buffer
	cmd := exec.Command(path, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); cmd.Wait() }()
	t.Cleanup(func() { cmd.Process.Kill(); <-ended })
	for address := "127.0.0.1:" + port; ; {
		if conn, err := net.Dial("tcp", address); err == nil {
			conn.Close()
			return "http://" + address + "/limited"
		}
		select {
		case <-ended:
			t.Fatalf("%s ended: %s", c.program, log.String())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// TestRealServers shows for nginx and haproxy themselves what TestServers shows
// for models of them; without -real in a smaller version that takes seconds.
func TestRealServers(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds of real time")
	}
	table := []server{
		{"nginx 1200r/m burst=9", 1200, 9, false, 80, 3500 * time.Millisecond},
	}
	evens := []bool{false}
	if *real {
		table, evens = servers, []bool{false, true}
	}
	for _, s := range table {
		for _, even := range evens {
			t.Run(fmt.Sprintf("%s even %v", s.name, even), func(t *testing.T) {
				t.Parallel()
				var url string
				if s.haproxy {
					url = haproxy.start(t, "LIMIT", strconv.Itoa(s.perMinute), "WINDOW", "60s", "WAIT", "5")
				} else {
					burst := ""
					if s.burst > 0 {
						burst = fmt.Sprintf("burst=%d nodelay", s.burst)
					}
					url = nginx.start(t, "LIMIT", strconv.Itoa(s.perMinute), "BURST", burst)
				}
				took, refused := sendReal(t, newPacer(t, s.options(even)), url, s.rows)
				spent, share := took.Seconds()/s.least.Seconds(), float64(refused)/float64(s.rows+refused)
				fmt.Printf("%-20s even %-5v: %3d rows, %d refused (%.1f%%), %.1f s of at least %.0f (%.2f)\n",
					s.name, even, s.rows, refused, 100*share, took.Seconds(), s.least.Seconds(), spent)
				most, mostShare := 2*mostTime, 3*mostRefused // the machine may have other work; a stall takes minutes
				if *real {
					most, mostShare = mostTime, mostRefused
				}
				if share > mostShare || spent > most {
					t.Errorf("want at most %.2f of the least time, %.1f%% refused", most, 100*mostShare)
				}
			})
		}
	}
}

// sendReal sends n requests to url, each again until it is granted.
func sendReal(t *testing.T, p *pace.Pacer, url string, n int) (took time.Duration, refused int) {
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 50}}
	defer client.CloseIdleConnections()
	var rows, no atomic.Int64
	var pool sync.WaitGroup
	start := time.Now()
	for range 50 {
		pool.Go(func() {
			for rows.Add(1) <= int64(n) {
				for {
					slot, err := p.Take(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					feedback, err := get(client, url)
					slot.Done(feedback)
					if err != nil {
						t.Error(err)
						return
					}
					if !feedback.Throttled {
						break
					}
					no.Add(1)
				}
			}
		})
	}
	pool.Wait()
	return time.Since(start), int(no.Load())
}

func get(client *http.Client, url string) (pace.Feedback, error) {
	answer, err := client.Get(url)
	if err != nil {
		return pace.Feedback{}, err
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusTooManyRequests {
		return pace.Feedback{}, fmt.Errorf("answered %s", answer.Status)
	}
	wait, err := strconv.Atoi(answer.Header.Get("Retry-After"))
	return pace.Feedback{
		Throttled:  answer.StatusCode == http.StatusTooManyRequests,
		RetryAfter: time.Duration(wait) * time.Second, HasRetryAfter: err == nil,
	}, nil
}
