package rotation

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/roster"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
	"siprotate/report"
)

// disasters are what may become of a run directory.
var disasters = map[string]func(dir string) error{
	"removed":     os.RemoveAll,
	"made anew":   func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Mkdir(dir, 0o700)) },
	"moved":       func(dir string) error { return os.Rename(dir, dir+".old") },
	"emptied":     func(dir string) error { return os.Truncate(filepath.Join(dir, journal.Name), 0) },
	"overwritten": func(dir string) error { return overwrite(filepath.Join(dir, journal.Name)) },
	"no folder":   func(dir string) error { return errors.Join(os.RemoveAll(dir), os.WriteFile(dir, nil, 0o600)) },
	"endless":     func(dir string) error { return errors.Join(os.RemoveAll(dir), os.Symlink(filepath.Base(dir), dir)) },
}

// overwrite fills a file with zeros, where it stands.
func overwrite(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil {
		_, err = f.Write(make([]byte, info.Size()))
	}
	return errors.Join(err, f.Close())
}

// The run directory goes while a request is under way, the last one too, and
// whatever else stops the run then: the passwords in force are in a rescue file,
// and the error names it.
func TestARunThatLosesItsDirectory(t *testing.T) {
	for name, lose := range disasters {
		for _, last := range []int{1, 3} {
			t.Run(fmt.Sprint(name, " at ", last), func(t *testing.T) {
				s := newLosing(t)
				s.on[last] = func() { must(t, lose(s.Dir)) }
				_, err := s.Run(t.Context(), s.source(t))
				s.checkRescue(t, err)
			})
		}
	}
}

func TestARunThatLosesItsDirectoryAndIsStopped(t *testing.T) {
	interrupted := errors.New("interrupted")
	for name, stop := range map[string]func(*losing, func(error)){
		"interrupted":    func(s *losing, cancel func(error)) { cancel(interrupted) },
		"after a canary": func(s *losing, _ func(error)) { s.refuse = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newLosing(t)
			s.Engine.Canary = 2
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			s.on[2] = func() {
				must(t, os.RemoveAll(s.Dir))
				stop(s, cancel)
			}
			_, err := s.Run(ctx, s.source(t))
			s.checkRescue(t, err)
		})
	}
}

// The reports are written after the last look of the journal itself.
func TestARunThatLosesItsDirectoryToItsReports(t *testing.T) {
	s := newLosing(t)
	format := report.ReportCSV
	format.New = func(w io.Writer) report.View {
		must(t, os.RemoveAll(s.Dir))
		return report.ReportCSV.New(w)
	}
	s.Formats = []report.Format{format}
	_, err := s.Run(t.Context(), s.source(t))
	s.checkRescue(t, err)
}

// What an earlier session put in force is rescued, though the next one sends
// nothing.
func TestARunThatLosesItsDirectoryBeforeItSends(t *testing.T) {
	s := newLosing(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	s.on[2] = func() { cancel(errors.New("interrupted")) }
	if _, err := s.Run(ctx, s.source(t)); !errors.As(err, new(*batch.Stop)) {
		t.Fatal(err)
	}
	s.Events = func(e Event) {
		if _, ok := e.(Planned); ok {
			must(t, os.RemoveAll(s.Dir))
		}
	}
	_, err := s.Run(t.Context(), s.source(t))
	s.checkRescue(t, err)
}

// A losing is a rotation of three users, one request at a time.
type losing struct {
	Rotation
	api    *exoteltest.Server
	on     map[int]func() // what happens at which request, counted from 1
	refuse bool           // the password of the request at hand
}

func newLosing(t *testing.T) *losing {
	s := &losing{on: map[int]func(){}}
	requests := 0
	s.api = exoteltest.New(exoteltest.Options{Users: 3, Policy: func(string) error {
		requests++
		if happens := s.on[requests]; happens != nil {
			happens()
		}
		if s.refuse {
			return errors.New("refused")
		}
		return nil
	}})
	s.Rotation = Rotation{
		Dir: filepath.Join(t.TempDir(), "users.run"), Client: standInClient(t, s.api),
		Account: Account{exoteltest.DefaultCredential, "api.example"},
	}
	s.Engine.Workers = 1
	return s
}

func (s *losing) source(t *testing.T) Source {
	src, err := roster.Reader("users.csv", strings.NewReader("email\nimran.menon0@example.com\nzo.khan1@example.com\nfatima.haddad2@example.com\n"),
		roster.Options{CheckPassword: exotel.CheckPassword, CheckID: exotel.CheckID})
	must(t, err)
	return src
}

// checkRescue wants err to name a file with all passwords in force.
func (s *losing) checkRescue(t *testing.T, err error) {
	t.Helper()
	var lost *LostError
	if !errors.As(err, &lost) || lost.Rescue == "" || lost.Failed != nil {
		t.Fatalf("the error is %v", err)
	}
	f, err := os.Open(lost.Rescue)
	must(t, err)
	rows, err := csv.NewReader(f).ReadAll()
	must(t, errors.Join(err, f.Close()))
	rescued := map[string]string{}
	for _, row := range rows[1:] {
		rescued[row[2]] = row[5]
	}
	held := 0
	for p := range s.api.Passwords() {
		if p.Password == "" {
			continue
		}
		held++
		if rescued[p.DeviceID] != p.Password {
			t.Errorf("the password of device %s is lost", p.DeviceID)
		}
	}
	if held == 0 {
		t.Error("no password is in force")
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
