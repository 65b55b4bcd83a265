//go:build linux

package cli_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"siprotate/exotel/exoteltest"
)

// TestAttackWaves kills runs that prove passwords and wait at gates. No account gets
// more answers to challenges than two in ten minutes, and no row of a wave is sent
// before the gate in front of it has opened.
func TestAttackWaves(t *testing.T) {
	t.Parallel()
	n := tried(t, "kill -9 between wave, gate and proof")
	choose := choices(t)
	for i := range 4 * *attackTimes {
		t.Run(strconv.Itoa(i), func(t *testing.T) {
			const rows = 30
			r := newRotation(t, choose(i), exoteltest.Options{Users: rows})
			registrar, err := exoteltest.NewRegistrar(r.api.Server, exoteltest.RegistrarOptions{})
			must(t, err)
			t.Cleanup(func() { must(t, registrar.Close()) })
			address, err := registrar.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			input := "user_id,device_id,sip_id,password\n"
			for i := range rows {
				user := exoteltest.GeneratedUser(i)
				input += fmt.Sprintf("%s,%s,%s,%s\n", user.ID, user.Devices[1].ID, user.Devices[1].ContactURI, givenToHalf(i))
			}
			must(t, os.WriteFile(r.input, []byte(input), 0o600))
			must(t, settle(r.input))
			r.flags = strings.Fields("--prove --waves 5,10 --gate proved=10% --gate-wait 30s --proof-rate 10ms --sip-transport tcp --sip-domain " +
				registrar.Domain() + " --sip-proxy " + address)
			for range 1 + r.rng.IntN(4) {
				n.times++
				p := r.command(r.noteConfirmed())()
				time.Sleep(time.Duration(r.rng.IntN(int(500 * time.Millisecond))))
				p.kill()
				p.wait()
				r.checkRecoverable()
			}
			r.finish()
			if most := registrar.Stats().MostAnswers; most > 2 {
				t.Errorf("an account got %d answers", most)
			}
			checkGates(t, r.dir, 5, 15)
		})
	}
}

// checkGates wants no send of a row behind a gate before the journal says that it
// has opened.
func checkGates(t *testing.T, dir string, ends ...int) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "journal.jsonl"))
	must(t, err)
	passed := 0
	for line := range bytes.Lines(text) {
		var record struct {
			Type      string
			Row, Gate int
			Passed    bool
		}
		must(t, json.Unmarshal(line, &record))
		switch {
		case record.Type == "gate" && record.Passed:
			passed = record.Gate
		case record.Type == "send" && passed < len(ends) && record.Row > ends[passed]:
			t.Fatalf("row %d was sent with %d gates open", record.Row, passed)
		}
	}
	if passed != len(ends) {
		t.Errorf("%d gates opened", passed)
	}
}
