//go:build unix

package handout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"siprotate/batch"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A delivering is a run directory whose commands find it as $DIR.
type delivering struct {
	t    *testing.T
	dir  string
	root *os.Root
}

func newDelivering(t *testing.T) *delivering {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	must(t, err)
	t.Cleanup(func() { root.Close() })
	return &delivering{t, dir, root}
}

func (d *delivering) deliver(ctx context.Context, to Delivery, s Selection, all ...batch.Entry) (Delivered, error) {
	to.Environ = []string{"DIR=" + d.dir, "PATH=" + os.Getenv("PATH")}
	return Deliver(ctx, d.root, to, columns, s.Pick(sequence(all), new(int)))
}

func (d *delivering) want(what string, got Delivered, err error, want Delivered) {
	d.t.Helper()
	if err != nil || got != want {
		d.t.Errorf("%s: %+v: %v, want %+v", what, got, err, want)
	}
}

func (d *delivering) read(name string) string {
	d.t.Helper()
	text, err := os.ReadFile(filepath.Join(d.dir, name))
	must(d.t, err)
	return string(text)
}

func rotated(n int) (all []batch.Entry) {
	for i := range n {
		all = append(all, entry(i+1, batch.Rotated))
	}
	return all
}

const collect = `cat >>"$DIR/got"; echo "$0 $*" >>"$DIR/args"; env >>"$DIR/env"`

func TestACommandGetsEachRowOnce(t *testing.T) {
	d := newDelivering(t)
	ctx := context.Background()
	got, err := d.deliver(ctx, Delivery{Command: collect}, everything, entries()...)
	d.want("at first", got, err, Delivered{Delivered: 4})
	var passwords []string
	for line := range strings.Lines(d.read("got")) {
		var o object
		must(t, json.Unmarshal([]byte(line), &o))
		passwords = append(passwords, o.Password)
	}
	want := []string{awkward + "-1", awkward + "-3", "Sample-before-3", awkward + "-5"}
	if fmt.Sprint(passwords) != fmt.Sprint(want) {
		t.Errorf("delivered %q, want %q", passwords, want)
	}
	for _, name := range []string{"args", "env", DeliveriesName} {
		if text := d.read(name); strings.Contains(text, "Sample") || text == "" {
			t.Errorf("%s: %s", name, text)
		}
	}
	if info, err := os.Stat(filepath.Join(d.dir, DeliveriesName)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v: %v", info.Mode(), err)
	}

	got, err = d.deliver(ctx, Delivery{Command: collect}, everything, entries()...)
	d.want("again", got, err, Delivered{Before: 4})
	got, err = d.deliver(ctx, Delivery{Command: collect + " "}, everything, entries()...)
	d.want("to another command", got, err, Delivered{Delivered: 4})

	// What has been sent to the API since has perhaps another password.
	sent := entries()
	sent[2].Result.Outcome, sent[2].Beside = batch.Rotated, nil
	sent[4].Result.Attempts.Count++
	got, err = d.deliver(ctx, Delivery{Command: collect}, everything, sent...)
	d.want("after a resume", got, err, Delivered{Before: 1, Delivered: 2})
}

func TestADeliveryGoesOnWhereItStopped(t *testing.T) {
	d := newDelivering(t)
	failing := `read -r line; case "$line" in *'"row":3,'*) test -e "$DIR/ok" || { echo first; echo "cannot take $line" >&2; exit 7; };; esac; printf '%s\n' "$line" >>"$DIR/got"`
	var said []string
	to := Delivery{Command: failing, Parallel: 3, Failed: func(row int, err error) { said = append(said, fmt.Sprintf("%d: %v", row, err)) }}
	ctx := context.Background()
	got, err := d.deliver(ctx, to, Selection{}, rotated(6)...)
	d.want("row 3 fails", got, err, Delivered{Delivered: 5, Failed: 1})
	if len(said) != 1 || !strings.HasPrefix(said[0], "3: exit status 7: ") || strings.Contains(said[0], "Sample") {
		t.Errorf("said %q", said)
	}
	must(t, os.WriteFile(filepath.Join(d.dir, "ok"), nil, 0o600))
	got, err = d.deliver(ctx, to, Selection{}, rotated(6)...)
	d.want("row 3 is taken", got, err, Delivered{Before: 5, Delivered: 1})
	if n := strings.Count(d.read("got"), "\n"); n != 6 {
		t.Errorf("%d rows were taken", n)
	}

	// A record that a crash cut short counts for nothing, and spoils no other.
	text := d.read(DeliveriesName)
	must(t, os.WriteFile(filepath.Join(d.dir, DeliveriesName), []byte(text[:len(text)-9]), 0o600))
	got, err = d.deliver(ctx, to, Selection{}, rotated(6)...)
	d.want("after a crash", got, err, Delivered{Before: 5, Delivered: 1})
	got, err = d.deliver(ctx, to, Selection{}, rotated(6)...)
	d.want("and again", got, err, Delivered{Before: 6})
}

func TestStopRulesOfADelivery(t *testing.T) {
	d := newDelivering(t)
	got, err := d.deliver(context.Background(), Delivery{Command: "exit 1"}, Selection{}, rotated(30)...)
	var stop *batch.Stop
	if !errors.As(err, &stop) || stop.Reason != batch.TooManyFailures || got.Failed != 10 || got.Left != 20 {
		t.Errorf("ten in a row: %+v: %v", got, err)
	}
	got, err = d.deliver(context.Background(), Delivery{Command: "exit 1", MaxFailures: batch.Threshold{Rows: 2}}, Selection{}, rotated(30)...)
	if !errors.As(err, &stop) || got.Failed != 2 {
		t.Errorf("two: %+v: %v", got, err)
	}

	// An interrupt lets the command under way end, and starts no other.
	ctx, cancel := context.WithCancelCause(context.Background())
	caught := errors.New("a signal")
	go func() {
		for {
			if _, err := os.Stat(filepath.Join(d.dir, "began")); err == nil {
				cancel(caught)
				return
			}
		}
	}()
	slow := `touch "$DIR/began"; until test -e "$DIR/interrupted"; do :; done; echo done >>"$DIR/ended"`
	context.AfterFunc(ctx, func() { _ = os.WriteFile(filepath.Join(d.dir, "interrupted"), nil, 0o600) })
	got, err = d.deliver(ctx, Delivery{Command: slow}, Selection{}, rotated(3)...)
	if !errors.Is(err, caught) || got.Delivered != 1 || got.Left != 2 || d.read("ended") != "done\n" {
		t.Errorf("interrupted: %+v: %v", got, err)
	}
}

func TestACommandThatTakesTooLong(t *testing.T) {
	d := newDelivering(t)
	var said error
	got, err := d.deliver(context.Background(), Delivery{
		Command: "sleep 1000 & wait", Timeout: 50_000_000, Failed: func(_ int, err error) { said = err },
	}, Selection{}, rotated(1)...)
	d.want("too long", got, err, Delivered{Failed: 1})
	if said == nil || !strings.Contains(said.Error(), "too long") {
		t.Error(said)
	}
}

func TestASecondDeliveryIsRefused(t *testing.T) {
	d := newDelivering(t)
	log, err := openDeliveries(d.root, "x")
	must(t, err)
	if _, err := d.deliver(context.Background(), Delivery{Command: "true"}, Selection{}, rotated(1)...); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	must(t, log.close())
}

// What a command says is quoted without the password, in whatever part.
func TestWhatACommandSaysIsQuotedWithCare(t *testing.T) {
	const password = `Sample-"Only"-12345`
	for said, want := range map[string]string{
		"":                                     "",
		"no such user\n":                       "no such user",
		"first\nsecond\n\n":                    "second",
		"bad: " + password + "!":               "bad: [redacted]!",
		`{"password":"Sample-\"Only\"-12345"}`: `{"password":"[redacted]"}`,
		"bad: Sample-":                         "[redacted]",
		strings.Repeat("x", maxCaptured-6) + password: "",
	} {
		c := &captured{}
		for _, b := range []byte(said) {
			_, _ = c.Write([]byte{b})
		}
		if got := c.last(password); got != want {
			t.Errorf("%.40q is quoted as %q, want %q", said, got, want)
		}
	}
}
