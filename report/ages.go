package report

import (
	"io"
	"time"
)

// A DeviceAge is a device of an account, and when it was last rotated.
type DeviceAge struct {
	DeviceID, SIPID, Email string
	State                  string    // in a word
	RotatedAt              time.Time // zero: never
	Run                    string    // the run directory of its latest rotation
}

// WriteAgesPage writes a page for people about the devices of an account, in their
// order. It is one file without a script, and its policy allows nothing but its style.
func WriteAgesPage(w io.Writer, account, host string, now time.Time, states []string, devices []DeviceAge) error {
	counts := map[string]int{}
	for _, d := range devices {
		counts[d.State]++
	}
	return pageTemplates().ExecuteTemplate(w, "ages", map[string]any{
		"Title": "SIP passwords of " + Sanitize(account), "Style": styleElement,
		"Policy":  policy("default-src 'none'; style-src " + hash(pageStyle) + "; base-uri 'none'; form-action 'none'"),
		"Account": account, "Host": host, "Now": now, "States": states, "Counts": counts, "Devices": devices,
	})
}
