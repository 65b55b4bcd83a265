package rotation

import (
	"encoding/csv"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"siprotate/batch/roster"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

// The run directory goes while a request is under way, the last one too: the
// passwords in force are in a rescue file, and the error names it.
func TestARunThatLosesItsDirectory(t *testing.T) {
	for _, last := range []int{1, 3} {
		folder := t.TempDir()
		dir := filepath.Join(folder, "users.run")
		requests := 0
		api := exoteltest.New(exoteltest.Options{Users: 3, Policy: func(string) error {
			if requests++; requests == last {
				must(t, os.RemoveAll(dir))
			}
			return nil
		}})
		r := Rotation{Dir: dir, Client: standInClient(t, api), Account: Account{exoteltest.DefaultCredential, "api.example"}}
		r.Engine.Workers = 1
		src, err := roster.Reader("users.csv", strings.NewReader("email\nimran.menon0@example.com\nzo.khan1@example.com\nfatima.haddad2@example.com\n"),
			roster.Options{CheckPassword: exotel.CheckPassword, CheckID: exotel.CheckID})
		must(t, err)
		_, err = r.Run(t.Context(), src)
		var lost *LostError
		if !errors.As(err, &lost) || lost.Rescue == "" {
			t.Fatalf("after %d requests: %v", last, err)
		}
		f, err := os.Open(lost.Rescue)
		must(t, err)
		rows, err := csv.NewReader(f).ReadAll()
		must(t, errors.Join(err, f.Close()))
		rescued := map[string]string{}
		for _, row := range rows[1:] {
			rescued[row[2]] = row[5]
		}
		for p := range api.Passwords() {
			if p.Password != "" && rescued[p.DeviceID] != p.Password {
				t.Errorf("after %d requests: the password of device %s is lost", last, p.DeviceID)
			}
		}
	}
}

func standInClient(t *testing.T, api *exoteltest.Server) *exotel.Client {
	t.Helper()
	client, err := exotel.New(exotel.Config{
		BaseURL: "https://api.example", AccountSID: exoteltest.DefaultCredential, Transport: api.Transport(),
		Credentials: func() (key, token string, err error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
	})
	must(t, err)
	return client
}
