package main

import (
	"encoding/csv"
	"errors"
	"flag"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"siprotate/batch/cli"
	"siprotate/batch/pace"
	"siprotate/exotel/exoteltest"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"siprotate": func() { os.Exit(cli.Main()) }})
}

// TestScripts runs the scripts of testdata: one promise a file, as a user
// types it. Beside testscript's own commands they have those of [commands].
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("XDG_STATE_HOME", filepath.Join(env.WorkDir, ".state"))
			env.Values[far{}] = new(far)
			return nil
		},
		Cmds: commands,
	})
}

// A far is the stand-in that a script talks to.
type far struct{ *exoteltest.Server }

func farSide(ts *testscript.TestScript) *far { return ts.Value(far{}).(*far) }

// commands are what scripts can do beside testscript's own commands.
var commands = map[string]func(*testscript.TestScript, bool, []string){
	"standin":  startStandIn,
	"users":    writeUsers,
	"exits":    exits,
	"holds":    holds,
	"requests": requests,
	"outcomes": outcomes,
	"mode":     mode,
}

// startStandIn serves a stand-in of the API with generated users, and points
// the environment at it:
//
//	standin [-users N] [-rate R] [-faults F] [-seed N] [-latency D] [-401-from N] [-length N]
func startStandIn(ts *testscript.TestScript, _ bool, args []string) {
	o := exoteltest.Options{Headers: exoteltest.AllHeaders, SlowBy: 2 * time.Second, Record: true}
	f := flag.NewFlagSet("standin", flag.ContinueOnError)
	f.IntVar(&o.Users, "users", 10, "")
	f.Uint64Var(&o.Seed, "seed", 1, "")
	f.DurationVar(&o.Latency, "latency", 0, "")
	f.IntVar(&o.UnauthorizedAfter, "401-from", 0, "")
	rate := f.String("rate", "unlimited", "")
	faults := f.String("faults", "", "")
	length := f.Int("length", 0, "refuse passwords of any other length")
	ts.Check(f.Parse(args))

	allowance, err := pace.ParseRate(*rate)
	ts.Check(err)
	if !allowance.IsUnlimited() {
		o.Limit = exoteltest.Limit{N: allowance.N, Per: allowance.Per, Kind: exoteltest.SlidingWindow}
	}
	o.Faults, err = exoteltest.ParseFaults(*faults)
	ts.Check(err)
	if *length > 0 {
		o.Policy = func(password string) error {
			if len(password) == *length {
				return nil
			}
			return fmt.Errorf("password must have %d characters", *length)
		}
	}
	standIn := exoteltest.New(o)
	server := httptest.NewServer(standIn)
	ts.Defer(server.Close)
	farSide(ts).Server = standIn
	ts.Setenv("EXOTEL_BASE_URL", server.URL)
	for _, variable := range []string{"EXOTEL_ACCOUNT_SID", "EXOTEL_API_KEY", "EXOTEL_API_TOKEN"} {
		ts.Setenv(variable, exoteltest.DefaultCredential)
	}
}

// writeUsers writes an input with the stand-in's first users, one row each:
//
//	users FILE N [PASSWORD]
func writeUsers(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	password := strings.Join(args[2:], "")
	text := "user_id,device_id,sip_id,email,password\n"
	for i := range n {
		user := exoteltest.GeneratedUser(i)
		sip := user.Devices[1]
		text += fmt.Sprintf("%s,%s,%s,%s,%s\n", user.ID, sip.ID, sip.ContactURI, user.Email, password)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// exits runs a command and wants an exit code:
//
//	exits CODE COMMAND [ARG ...]
func exits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// holds wants each device to hold the password that the credentials of a run
// tell, and no device but those a password that was set:
//
//	holds RUN-DIR
func holds(ts *testscript.TestScript, neg bool, args []string) {
	lines := readCSV(ts, filepath.Join(args[0], "credentials.csv"))
	known := map[string]string{}
	for _, line := range lines {
		known[line["user_id"]+"/"+line["device_id"]] = line["password"]
	}
	wrong := 0
	for held := range farSide(ts).Passwords() {
		if held.Password != known[held.UserID+"/"+held.DeviceID] {
			wrong++
		}
	}
	if (wrong > 0) != neg {
		ts.Fatalf("%d devices hold another password than %s tells", wrong, args[0])
	}
}

// requests wants that many requests to have reached the stand-in:
//
//	requests N
func requests(ts *testscript.TestScript, _ bool, args []string) {
	if got := farSide(ts).Stats().Requests; strconv.Itoa(got) != args[0] {
		ts.Fatalf("%d requests, want %s", got, args[0])
	}
}

// outcomes wants the report of a run to have that many rows, each exactly once
// and in order, and so many of each named outcome:
//
//	outcomes RUN-DIR ROWS [OUTCOME=N ...]
func outcomes(ts *testscript.TestScript, _ bool, args []string) {
	lines := readCSV(ts, filepath.Join(args[0], "report.csv"))
	if strconv.Itoa(len(lines)) != args[1] {
		ts.Fatalf("the report has %d rows, want %s", len(lines), args[1])
	}
	counts := map[string]int{}
	for i, line := range lines {
		if line["row"] != strconv.Itoa(i+1) {
			ts.Fatalf("row %s stands in place %d", line["row"], i+1)
		}
		counts[line["outcome"]]++
	}
	for _, want := range args[2:] {
		outcome, n, _ := strings.Cut(want, "=")
		if strconv.Itoa(counts[outcome]) != n {
			ts.Fatalf("the report has %v, want %s", counts, want)
		}
	}
}

func readCSV(ts *testscript.TestScript, name string) (lines []map[string]string) {
	records, err := csv.NewReader(strings.NewReader(ts.ReadFile(name))).ReadAll()
	ts.Check(err)
	for _, record := range records[1:] {
		line := map[string]string{}
		for i, column := range records[0] {
			line[column] = record[i]
		}
		lines = append(lines, line)
	}
	return lines
}

// mode wants a file or folder to have a mode, in octal:
//
//	mode 600 PATH
func mode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strconv.FormatInt(int64(info.Mode().Perm()), 8); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}
