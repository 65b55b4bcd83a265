package cli

import (
	"testing"
	"time"
)

func TestAges(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90d": 90 * day, "1d12h": 36 * time.Hour, "36h": 36 * time.Hour, "1ns": 1,
		"": 0, "0d": 0, "0s": 0, "-1h": 0, "-1d": 0, "1d-1h": 0, "d": 0, "1.5d": 0, "90": 0, "90dd": 0, "1h1d": 0,
		"36501d": 0, "99999999d": 0, "36500d1ns": 0, "soon": 0,
	} {
		var a age
		err := a.Set(text)
		if time.Duration(a) != want || (err == nil) != (want > 0) {
			t.Errorf("%q: %v, %v", text, time.Duration(a), err)
		}
		var again age
		if err == nil && (again.Set(a.String()) != nil || again != a) {
			t.Errorf("%q is printed as %q", text, a.String())
		}
	}
}
