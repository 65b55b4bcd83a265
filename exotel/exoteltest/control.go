package exoteltest

import (
	"encoding/json"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"time"

	"siprotate/exotel"
)

// Stats count what a [Server] has seen.
type Stats struct {
	Requests     int           `json:"requests"`     // of any kind, those below included
	Lists        int           `json:"lists"`        // of users, granted
	Applied      int           `json:"applied"`      // passwords set, repeats included
	Refused      int           `json:"refused"`      // 429 by the limiter
	Unauthorized int           `json:"unauthorized"` // 401; these do not count at the limiter
	Faults       map[Fault]int `json:"faults"`       // met, by kind
}

// Stats returns the counts so far.
func (s *Server) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	stats := s.stats
	stats.Faults = maps.Clone(stats.Faults)
	return stats
}

// Busiest returns the largest number of requests that counted at the limiter
// within any window of the given length, its end not included. Requests that were
// refused are not among them; without a limit all are that had
// the right credentials. It needs [Options.Record], and returns 0 without.
func (s *Server) Busiest(window time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	most, first := 0, 0
	for i, t := range s.counted { // they ascend
		for t.Sub(s.counted[first]) >= window && first < i {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

const controlPrefix = "/sandbox/"

// control answers the requests that are no part of the vendor's API.
func (s *Server) control(w http.ResponseWriter, r *http.Request) {
	switch {
	case !isLocal(r):
		http.Error(w, "only for loopback", http.StatusForbidden)
	case r.Method != http.MethodGet:
		http.Error(w, "only GET", http.StatusMethodNotAllowed)
	case r.URL.Path == controlPrefix+"passwords":
		w.Header().Set("Content-Type", "text/csv; charset=utf-8")
		s.writePasswords(w)
	case r.URL.Path == controlPrefix+"stats":
		w.Header().Set("Content-Type", mediaJSON)
		json.NewEncoder(w).Encode(s.Stats()) // an error means that the client has gone
	default:
		http.NotFound(w, r)
	}
}

// isLocal reports whether a request comes from this machine, and means it: a web
// page that points its own name at the loopback address still says that name.
func isLocal(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil || !peer.Addr().Unmap().IsLoopback() {
		return false
	}
	host, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		host = r.Host
	}
	return exotel.IsLoopback(host)
}
