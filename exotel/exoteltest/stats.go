package exoteltest

import (
	"maps"
	"time"
)

// Stats count what a [Server] has seen.
type Stats struct {
	Requests     int           `json:"requests"`     // of any kind, those below included
	Lists        int           `json:"lists"`        // of users, granted
	Applied      int           `json:"applied"`      // passwords set, repeats included
	Refused      int           `json:"refused"`      // 429 by the limiter
	Unauthorized int           `json:"unauthorized"` // 401; these do not count at the limiter
	Foreign      int           `json:"foreign"`      // granted to [Server.ForeignRequest], beside Requests
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
// refused, and foreign ones, are not among them; without a limit all are that had
// the right credentials. It needs [Options.Record], and returns 0 without.
func (s *Server) Busiest(window time.Duration) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return busiest(s.counted, window)
}

// busiest slides a window over ascending instants.
func busiest(instants []time.Duration, window time.Duration) int {
	most, first := 0, 0
	for i, t := range instants {
		for t-instants[first] >= window && first < i {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}
