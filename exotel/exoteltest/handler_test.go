package exoteltest

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// serve serves s over loopback until the test ends.
func serve(t *testing.T, s *Server) (host string, client *http.Transport) {
	t.Helper()
	server := httptest.NewServer(s)
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		server.Close()
	})
	at, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	return at.Host, transport
}

func TestFaultsOverLoopback(t *testing.T) {
	for _, f := range faultCases {
		t.Run("fault "+string(f.fault), func(t *testing.T) {
			opt := f.options()
			opt.SlowBy = time.Millisecond
			s := New(opt)
			host, client := serve(t, s)
			f.meet(t, s, client, host)
		})
	}
}

// TestResetUnderTLS holds that the client sees a connection that broke, not one
// that was closed in good order with an empty answer.
func TestResetUnderTLS(t *testing.T) {
	for _, http2 := range []bool{false, true} {
		s := New(Options{Users: 1, Faults: map[Fault]float64{ResetAfter: 1}})
		server := httptest.NewUnstartedServer(s)
		server.EnableHTTP2 = http2
		server.StartTLS()
		r := newRequest(t, "PUT", passwordPath(GeneratedUser(0)), passwordBody(compliant))
		r.URL.Scheme, r.URL.Host = "https", server.Listener.Addr().String()
		resp, err := server.Client().Transport.RoundTrip(r)
		if err == nil {
			resp.Body.Close()
			t.Errorf("HTTP/2 %v: status %d", http2, resp.StatusCode)
		}
		if passwordOf(t, s, GeneratedUser(0)) != compliant {
			t.Errorf("HTTP/2 %v: the password is not set", http2)
		}
		server.Close()
	}
}

func TestConcurrentClients(t *testing.T) {
	const devices, clients = 200, 8
	s := New(Options{Users: devices, Record: true})
	host, client := serve(t, s)
	var wait sync.WaitGroup
	for k := range clients {
		wait.Go(func() {
			for i := k; i < devices; i += clients {
				r := newRequest(t, "PUT", passwordPath(GeneratedUser(i)), passwordBody(compliant))
				r.URL.Host = host
				resp, err := client.RoundTrip(r)
				if err != nil {
					t.Error(err)
					return
				}
				io.Copy(io.Discard, resp.Body)
				resp.Body.Close()
			}
		})
	}
	wait.Wait()
	for h := range s.Passwords() {
		if h.Password != compliant {
			t.Errorf("device %s holds %q", h.DeviceID, h.Password)
		}
	}
	if n := s.Busiest(time.Hour); n != devices {
		t.Errorf("%d requests on record", n)
	}
}

func get(t *testing.T, s *Server, change func(*http.Request), path string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest("GET", "http://127.0.0.1:8080"+path, nil)
	r.RemoteAddr = "127.0.0.1:50000"
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	s.ServeHTTP(w, r)
	return w
}

func TestPasswordsOverHTTP(t *testing.T) {
	s := New(Options{Users: 300, Policy: func(string) error { return nil }})
	const awkward = "comma, \"quote\"\r\nand line"
	put(t, s, GeneratedUser(299), awkward)
	w := get(t, s, nil, "/sandbox/passwords")
	reader := csv.NewReader(w.Body)
	rows, err := reader.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"user_id", "device_id", "sip_id", "password"}, rows[0]); diff != "" {
		t.Error(diff)
	}
	u := GeneratedUser(299)
	want := []string{u.ID, u.Devices[1].ID, u.Devices[1].ContactURI[len("sip:"):], "comma, \"quote\"\nand line"} // as csv.Reader reads line ends
	if diff := cmp.Diff(want, rows[len(rows)-1]); diff != "" || len(rows) != 301 {
		t.Errorf("%d rows\n%s", len(rows), diff)
	}
}

func TestStatsOverHTTP(t *testing.T) {
	s := New(Options{Users: 1, Faults: map[Fault]float64{Inner409: 1}})
	put(t, s, GeneratedUser(0), compliant)
	w := get(t, s, nil, "/sandbox/stats")
	var got Stats
	if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(Stats{Requests: 1, Faults: map[Fault]int{Inner409: 1}}, got); diff != "" {
		t.Error(diff)
	}
}

func TestControlIsForLoopbackOnly(t *testing.T) {
	s := New(Options{})
	peer := func(addr string) func(*http.Request) { return func(r *http.Request) { r.RemoteAddr = addr } }
	host := func(name string) func(*http.Request) { return func(r *http.Request) { r.Host = name } }
	tests := []struct {
		name   string
		change func(*http.Request)
		status int
	}{
		{"loopback", nil, 200},
		{"IPv6 loopback", peer("[::1]:9"), 200},
		{"mapped loopback", peer("[::ffff:127.0.0.1]:9"), 200},
		{"another machine", peer("192.0.2.7:9"), 403},
		{"no address", peer("@"), 403},
		{"localhost", host("localhost:8080"), 200},
		{"IPv6 host", host("[::1]:8080"), 200},
		{"host without port", host("127.0.0.1"), 200},
		{"a web page's name", host("rebound.example.com:8080"), 403},
		{"another method", func(r *http.Request) { r.Method = "POST" }, 405},
		{"another path", func(r *http.Request) { r.URL.Path = "/sandbox/" }, 404},
	}
	for _, tt := range tests {
		if w := get(t, s, tt.change, "/sandbox/stats"); w.Code != tt.status {
			t.Errorf("%s: %d, want %d", tt.name, w.Code, tt.status)
		}
	}
}
