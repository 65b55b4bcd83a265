package cli

import (
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"siprotate/batch"
	"siprotate/batch/rotation"
)

// TestStatusHeedsTheOutputFlags wants status to say nothing with -q, and records alone
// with --log-format json.
func TestStatusHeedsTheOutputFlags(t *testing.T) {
	folder := t.TempDir()
	noError(t, planRun(t, filepath.Join(folder, "users.run"), 1).Close())
	for _, flag := range []string{"--log-format=json", "-q"} {
		var said strings.Builder
		a := &app{out: io.Discard, err: &said, getenv: func(string) string { return "" }}
		if code := a.run(t.Context(), []string{"status", "--history", folder, "--offline", flag}); code != exitOK {
			t.Errorf("%s: exit code %d", flag, code)
		}
		for line := range strings.Lines(said.String()) {
			if flag == "-q" || !strings.HasPrefix(line, "{") {
				t.Errorf("%s: %s", flag, line)
			}
		}
	}
}

var update = flag.Bool("update", false, "write the golden files anew")

// TestStatusFormatsAreGolden leaves out what depends on the time and its zone: the
// table, and the page, which report has a golden file of.
func TestStatusFormatsAreGolden(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	lines := []statusLine{
		{UserID: "user1", DeviceID: "490031", SIPID: "agent1", Email: `"agent, 1"@example.com`, State: neverState},
		{UserID: "user2", DeviceID: "490032", SIPID: "agent2", Email: "agent2@example.com", State: oldState, RotatedAt: at, Run: "march.run"},
		{UserID: "user3", DeviceID: "490033", SIPID: "agent3", State: rotatedState, RotatedAt: at.AddDate(0, 6, 0), Run: "september.run"},
	}
	for _, format := range []string{"csv", "jsonl", "prometheus", "summary"} {
		var got strings.Builder
		noError(t, (&statusFlags{format: format}).encode(&got, lines, endpoint{Account: rotation.Account{SID: "exampleaccount", Host: "api.example.com"}}, 0))
		path := filepath.Join("testdata", "status."+format)
		if *update {
			noError(t, os.WriteFile(path, []byte(got.String()), 0o644))
		}
		want, err := os.ReadFile(path)
		noError(t, err)
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s: %s", format, diff)
		}
	}
}

// No line of a table is wider than the terminal, be it as narrow as 60 columns.
func TestTablesFit(t *testing.T) {
	long := strings.Repeat("abcdefgh", 6)
	devices := []statusLine{{SIPID: long, Email: long, State: rotatedState, RotatedAt: time.Now(), Run: long}}
	phones := []adoptionLine{{Row: 5000, SIPID: "fatimah30f4c306", Email: "fatima.haddad2@example.com", Adoption: batch.OldRegistration}}
	for width := 60; width < fullTable; width++ {
		var text strings.Builder
		noError(t, statusTable(&text, devices, width))
		noError(t, adoptionTable(&text, phones, width))
		for line := range strings.Lines(text.String()) {
			if got := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); got > width {
				t.Fatalf("%d columns in %d:\n%s", got, width, text.String())
			}
		}
	}
}
