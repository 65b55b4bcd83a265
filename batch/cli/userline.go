package cli

import (
	"encoding/csv"
	"encoding/json"
	"io"
	"strconv"

	"siprotate/batch/directory"
	"siprotate/report"
)

// A userLine is a SIP device and its user, or a user without a SIP device.
type userLine struct {
	UserID    string `json:"user_id"`
	DeviceID  string `json:"device_id"`
	SIPID     string `json:"sip_id"`
	Email     string `json:"email"`
	FirstName string `json:"first_name"`
	LastName  string `json:"last_name"`
	Role      string `json:"role"`
	Available *bool  `json:"available"` // nil without a device
	Verified  *bool  `json:"verified"`
}

var userColumns = []string{"user_id", "device_id", "sip_id", "email", "first_name", "last_name", "role", "available", "verified"}

// linesOf returns a line for each device of the user, or one without a device.
// What the far side says is made harmless, should it come to a terminal.
func linesOf(u directory.User) (lines []userLine) {
	line := userLine{
		UserID: report.Sanitize(u.ID), Email: report.Sanitize(u.Email),
		FirstName: report.Sanitize(u.FirstName), LastName: report.Sanitize(u.LastName), Role: report.Sanitize(u.Role),
	}
	if len(u.Devices) == 0 {
		return []userLine{line}
	}
	for i := range u.Devices {
		d := &u.Devices[i]
		line.DeviceID, line.SIPID = report.Sanitize(d.ID), report.Sanitize(d.SIPID)
		line.Available, line.Verified = &d.Available, &d.Verified
		lines = append(lines, line)
	}
	return lines
}

func (l userLine) cells() []string {
	return []string{
		l.UserID, l.DeviceID, l.SIPID, l.Email, l.FirstName, l.LastName, l.Role,
		yesOrNo(l.Available), yesOrNo(l.Verified),
	}
}

func yesOrNo(is *bool) string {
	if is == nil {
		return ""
	}
	return strconv.FormatBool(*is)
}

func usersCSV(w io.Writer, lines []userLine) error {
	out := csv.NewWriter(w)
	out.Write(userColumns)
	for _, line := range lines {
		out.Write(line.cells())
	}
	out.Flush()
	return out.Error()
}

// jsonLines writes each value as a line of JSON.
func jsonLines[T any](w io.Writer, values []T) error {
	out := json.NewEncoder(w)
	out.SetEscapeHTML(false)
	for _, value := range values {
		if err := out.Encode(value); err != nil {
			return err
		}
	}
	return nil
}
