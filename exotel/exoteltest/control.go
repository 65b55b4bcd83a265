package exoteltest

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/netip"
)

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

func (s *Server) writePasswords(w io.Writer) {
	out := csv.NewWriter(w)
	defer out.Flush()
	out.Write([]string{"user_id", "device_id", "sip_id", "password"})
	for h := range s.Passwords() {
		if out.Write([]string{h.UserID, h.DeviceID, h.SIPID, h.Password}) != nil {
			return
		}
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
	if host == "localhost" {
		return true
	}
	addr, err := netip.ParseAddr(host)
	return err == nil && addr.Unmap().IsLoopback()
}
