package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"strconv"
	"strings"

	"siprotate/batch"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

// A madeUp is a stand-in in the making that holds the devices of rows that
// lack ids: it makes ids up for them.
type madeUp struct {
	*exoteltest.Server
	users map[string]bool // by email, or whatever else a row says first
	sips  map[string]bool
}

func newMadeUp() *madeUp {
	return &madeUp{
		Server: exoteltest.New(exoteltest.Options{}),
		users:  map[string]bool{}, sips: map[string]bool{},
	}
}

// firstMadeUp is the first made-up device id: of six digits, as seen.
const firstMadeUp = 900_001

// add adds the device of a row. A row that names nothing new adds nothing: it
// will find the device of the row before.
func (m *madeUp) add(row *batch.Row) {
	name := strings.ToLower(row.UserID + row.Email)
	sip := exotel.SIPID(row.SIPID)
	if name == "" {
		name = sip
	}
	if m.sips[sip] || sip == "" && m.users[name] {
		return
	}
	id, device := row.UserID, row.DeviceID
	if id == "" {
		sum := sha256.Sum256([]byte(name))
		id = hex.EncodeToString(sum[:16])
	}
	if device == "" {
		device = strconv.Itoa(firstMadeUp + len(m.sips))
	}
	if sip == "" {
		sip = "sip" + device
	}
	m.users[name], m.sips[sip] = true, true
	// What cannot be added is not found later on, and is told with its line then.
	_ = m.AddDevice(id, device, sip, row.Email)
}
