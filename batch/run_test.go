package batch

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"siprotate/batch/pace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A fault is an error with the behaviours that its text names.
type fault string

const (
	refusal  fault = "refusal"
	outage   fault = "outage" // ambiguous, retryable
	offline  fault = "offline"
	throttle fault = "throttle"
	denied   fault = "denied"
	policy   fault = "policy"
)

func (f fault) Error() string         { return string(f) }
func (f fault) Ambiguous() bool       { return f == outage }
func (f fault) Retryable() bool       { return f == outage || f == offline }
func (f fault) Throttled() bool       { return f == throttle }
func (f fault) Fatal() bool           { return f == denied }
func (f fault) RefusesPassword() bool { return f == policy }

// An api answers the attempts of each row with a script of errors, the last
// of which goes on for ever; a row without a script succeeds.
type api struct {
	scripts map[int][]error
	latency time.Duration

	mu        sync.Mutex
	tries     map[int]int
	passwords map[int][]string // as they came
}

func (f *api) SetPassword(ctx context.Context, row Row) (Receipt, error) {
	f.mu.Lock()
	if f.tries == nil {
		f.tries, f.passwords = map[int]int{}, map[int][]string{}
	}
	try := f.tries[row.Number]
	f.tries[row.Number]++
	f.passwords[row.Number] = append(f.passwords[row.Number], row.Password.Reveal())
	script := f.scripts[row.Number]
	f.mu.Unlock()
	time.Sleep(f.latency)
	if ctx.Err() != nil {
		return Receipt{}, outage
	}
	if len(script) == 0 {
		return Receipt{HTTPCode: 200, Status: "success"}, nil
	}
	switch err := script[min(try, len(script)-1)]; err {
	case nil:
		return Receipt{HTTPCode: 200, Status: "success"}, nil
	case error(throttle):
		return Receipt{HTTPCode: 429, Feedback: pace.Feedback{Throttled: true}}, err
	default:
		return Receipt{HTTPCode: 400}, err
	}
}

// A notebook is a Log in memory that sees that the rules of one are kept.
type notebook struct {
	t *testing.T

	mu       sync.Mutex
	lines    []string
	results  map[int]Result
	failAt   int // the call that fails, from 1
	calls    int
	password map[int]string // noted so far
}

var errNotebook = errors.New("no space left on device")

func (n *notebook) note(format string, args ...any) error {
	n.calls++
	if n.calls == n.failAt {
		return errNotebook
	}
	n.lines = append(n.lines, fmt.Sprintf(format, args...))
	return nil
}

func (n *notebook) Sending(row *Row, _ time.Time) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if known, ok := n.password[row.Number]; ok && known != row.Password.Reveal() {
		n.t.Errorf("row %d goes out with a password that was not noted", row.Number)
	}
	return n.note("send %d", row.Number)
}

func (n *notebook) Reissue(row *Row) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.password[row.Number] = row.Password.Reveal()
	return n.note("reissue %d", row.Number)
}

func (n *notebook) Tried(r Result) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.note("tried %d", r.Row)
}

func (n *notebook) Finish(r Result) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, twice := n.results[r.Row]; twice {
		n.t.Errorf("row %d finished twice", r.Row)
	}
	n.results[r.Row] = r
	return n.note("finish %d", r.Row)
}

func newNotebook(t *testing.T, rows int) *notebook {
	n := &notebook{t: t, results: map[int]Result{}, password: map[int]string{}}
	for row := 1; row <= rows; row++ {
		n.password[row] = fmt.Sprint("given ", row)
	}
	return n
}

func rowsOf(n int, edit func(*Row)) iter.Seq2[Row, error] {
	return func(yield func(Row, error) bool) {
		for number := 1; number <= n; number++ {
			row := Row{Number: number, Password: NewSecret(fmt.Sprint("given ", number)), PasswordSource: Generated}
			if edit != nil {
				edit(&row)
			}
			if !yield(row, nil) {
				return
			}
		}
	}
}

func testConfig() Config {
	var draws atomic.Int64
	return Config{
		Pacer: unlimited(), Workers: 4, MaxFailures: Threshold{Percent: 100},
		Redraw: func() (Secret, error) { return NewSecret(fmt.Sprint("drawn ", draws.Add(1))), nil },
	}
}

func unlimited() *pace.Pacer {
	pacer, err := pace.New(pace.Options{Rate: pace.Unlimited})
	if err != nil {
		panic(err)
	}
	return pacer
}

// rotate runs n rows against an API in virtual time.
func rotate(t *testing.T, ctx context.Context, c Config, n int, edit func(*Row), server *api, notes *notebook) error {
	t.Helper()
	return Run(ctx, c, rowsOf(n, edit), server, notes)
}

func outcomesOf(notes *notebook) map[int]Outcome {
	got := map[int]Outcome{}
	for row, result := range notes.results {
		got[row] = result.Outcome
	}
	return got
}

func TestOutcomes(t *testing.T) {
	doubted := func(r *Row) { r.Attempts = Attempts{Count: 1, Doubt: "timeout"} }
	provided := func(r *Row) { r.PasswordSource = Provided }
	for name, c := range map[string]struct {
		script []error
		edit   func(*Row)
		want   Outcome
		tries  int
	}{
		"confirmed":                       {nil, nil, Rotated, 1},
		"refused":                         {[]error{refusal}, nil, Failed, 1},
		"outage, then confirmed":          {[]error{outage, nil}, nil, Rotated, 2},
		"outage to the end":               {[]error{outage}, nil, Unknown, 6},
		"outage, then refused":            {[]error{outage, refusal}, nil, Unknown, 2},
		"outage, then policy":             {[]error{outage, policy}, nil, Unknown, 3},
		"outage, then policy, provided":   {[]error{outage, policy}, provided, Unknown, 2},
		"outage, then denied":             {[]error{outage, denied}, nil, Unknown, 2},
		"outage, then offline":            {[]error{outage, offline}, nil, Unknown, 6},
		"never reached":                   {[]error{offline}, nil, NotAttempted, 6},
		"offline, then refused":           {[]error{offline, refusal}, nil, Failed, 2},
		"denied":                          {[]error{denied}, nil, NotAttempted, 1},
		"throttled often, then confirmed": {append(slices.Repeat([]error{throttle}, 20), nil), nil, Rotated, 21},
		"throttled often is no try":       {append(slices.Repeat([]error{throttle}, 20), outage, nil), nil, Rotated, 22},
		"throttled, then refused":         {[]error{throttle, refusal}, nil, Failed, 2},
		"policy, once":                    {[]error{policy, nil}, nil, Rotated, 2},
		"policy, always":                  {[]error{policy}, nil, Failed, 1 + maxReissues},
		"policy, of a given password":     {[]error{policy}, provided, Failed, 1},
		"in doubt before, refused now":    {[]error{refusal}, doubted, Unknown, 1},
		"in doubt before, policy now":     {[]error{policy}, doubted, Unknown, 2},
		"in doubt before, confirmed now":  {[]error{nil}, doubted, Rotated, 1},
		"an error of unknown kind":        {[]error{errors.New("what?")}, nil, Unknown, 1},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, notes := &api{scripts: map[int][]error{1: c.script}}, newNotebook(t, 1)
				rotate(t, t.Context(), testConfig(), 1, c.edit, server, notes)
				result := notes.results[1]
				if result.Outcome != c.want || server.tries[1] != c.tries {
					t.Errorf("%v after %d tries, want %v after %d", result.Outcome, server.tries[1], c.want, c.tries)
				}
				row := Row{}
				if c.edit != nil {
					c.edit(&row)
				}
				if want := row.Attempts.Count + server.tries[1]; result.Attempts.Count != want {
					t.Errorf("%d attempts were counted, want %d", result.Attempts.Count, want)
				}
				if (c.want == Unknown || c.want == NotAttempted) != (result.Note != "") {
					t.Errorf("the note is %q", result.Note)
				}
			})
		})
	}
}

// A row is sent again with the password it had, unless that one was definitely
// refused; each other one is noted before it leaves.
func TestSameRowSamePassword(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &api{scripts: map[int][]error{1: {outage, offline, outage, throttle, outage}, 2: {policy, outage, policy}, 3: {policy, policy, nil}}}
		notes := newNotebook(t, 3)
		rotate(t, t.Context(), testConfig(), 3, nil, server, notes)
		for row, want := range map[int]int{1: 1, 2: 2, 3: 3} {
			if got := len(slices.Compact(slices.Clone(server.passwords[row]))); got != want {
				t.Errorf("row %d was sent with %d passwords, want %d", row, got, want)
			}
		}
	})
}

func stopReason(err error) StopReason {
	var stop *Stop
	if errors.As(err, &stop) {
		return stop.Reason
	}
	return ""
}

func TestStopRules(t *testing.T) {
	failing := func(rows ...int) map[int][]error {
		scripts := map[int][]error{}
		for _, row := range rows {
			scripts[row] = []error{refusal}
		}
		return scripts
	}
	first := func(n int) (rows []int) {
		for row := 1; row <= n; row++ {
			rows = append(rows, row)
		}
		return rows
	}
	everyFourth := func(n int) (rows []int) {
		for row := 4; row <= n; row += 4 {
			rows = append(rows, row)
		}
		return rows
	}
	for name, c := range map[string]struct {
		edit    func(*Config)
		scripts map[int][]error
		want    StopReason
		results int // of 100 rows, one worker
	}{
		"nothing fails":              {nil, nil, "", 100},
		"nine in a row":              {nil, failing(first(9)...), "", 100},
		"ten in a row":               {nil, failing(first(10)...), TooManyFailures, 10},
		"many, not in a row":         {nil, failing(everyFourth(100)...), "", 100},
		"three of at most three":     {func(c *Config) { c.MaxFailures.Rows = 3 }, failing(1, 5, 9), TooManyFailures, 9},
		"two of at most three":       {func(c *Config) { c.MaxFailures.Rows = 3 }, failing(1, 5), "", 100},
		"a quarter of 10%, too soon": {func(c *Config) { c.MaxFailures.Percent = 10 }, failing(everyFourth(100)...), TooManyFailures, 20},
		"a quarter of 30%":           {func(c *Config) { c.MaxFailures.Percent = 30 }, failing(everyFourth(100)...), "", 100},
		"canary is well":             {func(c *Config) { c.Canary = 5 }, failing(6), "", 100},
		"canary fails":               {func(c *Config) { c.Canary = 5 }, failing(4), CanaryFailed, 4},
		"all are canaries":           {func(c *Config) { c.Canary = 500 }, nil, "", 100},
		"denied":                     {nil, map[int][]error{7: {denied}}, Refused, 7},
		"window over":                {func(c *Config) { c.StopAfter = 20500 * time.Millisecond }, nil, WindowOver, 21},
		"failures at the very end":   {nil, failing(91, 92, 93, 94, 95, 96, 97, 98, 99, 100), "", 100},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				config := testConfig()
				config.Workers, config.MaxFailures = 1, Threshold{}
				if c.edit != nil {
					c.edit(&config)
				}
				server, notes := &api{scripts: c.scripts, latency: time.Second}, newNotebook(t, 100)
				err := rotate(t, t.Context(), config, 100, nil, server, notes)
				if got := stopReason(err); got != c.want {
					t.Errorf("stopped because of %q, want %q", got, c.want)
				}
				// The row that is handed over when the rule strikes may still go out.
				if n := len(notes.results); n != c.results && (c.want == "" || n != c.results+1) {
					t.Errorf("%d results, want %d", n, c.results)
				}
			})
		})
	}
}

func TestCanariesGoAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig()
		config.Canary = 3
		server, notes := &api{latency: time.Second, scripts: map[int][]error{2: {outage, refusal}}}, newNotebook(t, 20)
		err := rotate(t, t.Context(), config, 20, nil, server, notes)
		if got := stopReason(err); got != CanaryFailed {
			t.Errorf("stopped because of %q", got)
		}
		if got := slices.Sorted(maps.Keys(server.tries)); !slices.Equal(got, []int{1, 2, 3}) {
			t.Errorf("rows %v were sent", got)
		}
	})
}

// A gate is asked once all rows before it are done with, and one that stays
// closed stops the run.
func TestGates(t *testing.T) {
	for name, c := range map[string]struct {
		closed int // the gate that stays closed; 0: none
		want   StopReason
		asked  []int
		sent   int
	}{
		"open":       {0, "", []int{0, 3, 10}, 20},
		"at once":    {1, GateClosed, []int{0}, 0},
		"the second": {2, GateClosed, []int{0, 3}, 3},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server, notes := &api{latency: time.Second}, newNotebook(t, 20)
				config, asked := testConfig(), []int(nil)
				config.Gates = []int{0, 3, 10, 20, 99}
				config.Gate = func(_ context.Context, rows int) error {
					if asked = append(asked, rows); len(notes.results) != rows {
						t.Errorf("asked after %d rows, when %d were done with", rows, len(notes.results))
					}
					if len(asked) == c.closed {
						return errors.New("not enough phones are back")
					}
					return nil
				}
				if got := stopReason(rotate(t, t.Context(), config, 20, nil, server, notes)); got != c.want {
					t.Errorf("stopped because of %q", got)
				}
				if !slices.Equal(asked, c.asked) || len(server.tries) != c.sent {
					t.Errorf("asked after %v, %d rows were sent", asked, len(server.tries))
				}
			})
		})
	}
}

// A signal finishes what is under way and sends nothing else.
func TestInterruptDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		server, notes := &api{latency: 10 * time.Second, scripts: map[int][]error{2: {outage}, 3: {offline}}}, newNotebook(t, 50)
		time.AfterFunc(5*time.Second, cancel)
		start := time.Now()
		err := rotate(t, ctx, testConfig(), 50, nil, server, notes)
		if got := stopReason(err); got != Interrupted {
			t.Errorf("stopped because of %q", got)
		}
		want := map[int]Outcome{1: Rotated, 2: Unknown, 3: NotAttempted, 4: Rotated}
		if diff := cmp.Diff(want, outcomesOf(notes)); diff != "" {
			t.Error(diff)
		}
		if got := notes.results[3].Note; got != "offline" {
			t.Errorf("row 3 has no verdict because of %q: not the API's last word", got)
		}
		if took := time.Since(start); took != 10*time.Second {
			t.Errorf("took %v", took)
		}
	})
}

// When the window is over, rows that were sent and have no verdict still have
// all their tries; rows that were not sent stay so.
func TestWindowOverFinishesWhatIsInDoubt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig()
		config.StopAfter = 1500 * time.Millisecond
		server := &api{latency: time.Second, scripts: map[int][]error{1: {outage, outage, nil}}}
		notes := newNotebook(t, 50)
		err := rotate(t, t.Context(), config, 50, nil, server, notes)
		if got := stopReason(err); got != WindowOver {
			t.Errorf("stopped because of %q", got)
		}
		if got := notes.results[1].Outcome; got != Rotated {
			t.Errorf("row 1 is %v", got)
		}
		if n := len(notes.results); n >= 12 {
			t.Errorf("%d rows were sent", n)
		}
	})
}

// A row that is turned away is not in flight: it does not outlast the window.
func TestWindowOverEndsAThrottledRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config := testConfig()
		config.StopAfter = time.Minute
		server := &api{latency: time.Second, scripts: map[int][]error{1: {throttle}}}
		notes := newNotebook(t, 1)
		if got := stopReason(rotate(t, t.Context(), config, 1, nil, server, notes)); got != WindowOver {
			t.Errorf("stopped because of %q", got)
		}
		if got := notes.results[1]; got.Outcome != NotAttempted || got.Note != "throttle" {
			t.Errorf("row 1 is %v: %s", got.Outcome, got.Note)
		}
	})
}

// An interrupt that leaves the last row without a verdict is told as one.
func TestInterruptInTheLastWait(t *testing.T) {
	for _, answer := range []error{outage, offline, throttle} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			server := &api{latency: time.Second, scripts: map[int][]error{1: {answer}}}
			notes := newNotebook(t, 1)
			time.AfterFunc(1200*time.Millisecond, cancel)
			if got := stopReason(rotate(t, ctx, testConfig(), 1, nil, server, notes)); got != Interrupted {
				t.Errorf("%v: stopped because of %q", answer, got)
			}
		})
	}
}

// A request without an answer in time may be counted as long after its end as it
// took: its slot is held for a window from then. A cut one is counted at once.
func TestALostRequestIsCountedLater(t *testing.T) {
	const timeout = 30 * time.Second
	for name, c := range map[string]struct{ cut, want time.Duration }{
		"timed out": {time.Hour, 2*timeout + time.Minute},
		"cut":       {timeout / 2, timeout/2 + time.Minute},
	} {
		synctest.Test(t, func(t *testing.T) {
			config, sent := testConfig(), []time.Time(nil)
			pacer, err := pace.New(pace.Options{Rate: pace.Rate{N: 1, Per: time.Minute}})
			if err != nil {
				t.Fatal(err)
			}
			config.Pacer, config.Timeout = pacer, timeout
			set := setterFunc(func(ctx context.Context, _ Row) (Receipt, error) {
				if sent = append(sent, time.Now()); len(sent) > 1 {
					return Receipt{HTTPCode: 200}, nil
				}
				select {
				case <-ctx.Done():
				case <-time.After(c.cut):
				}
				return Receipt{}, outage
			})
			if err := Run(t.Context(), config, rowsOf(1, nil), set, newNotebook(t, 1)); err != nil {
				t.Fatal(err)
			}
			if got := sent[1].Sub(sent[0]); got != c.want {
				t.Errorf("%s: the next request left after %v, want %v", name, got, c.want)
			}
		})
	}
}

// Whatever call of the log fails, nothing leaves after it, and nothing leaves
// that was not noted.
func TestAFailingLogStopsEverything(t *testing.T) {
	for failAt := 1; failAt <= 40; failAt++ {
		synctest.Test(t, func(t *testing.T) {
			config := testConfig()
			config.Workers = 1
			server := &api{latency: time.Second, scripts: map[int][]error{2: {outage, nil}, 4: {policy, nil}}}
			notes := newNotebook(t, 30)
			notes.failAt = failAt
			err := rotate(t, t.Context(), config, 30, nil, server, notes)
			if got := stopReason(err); got != Broken || !errors.Is(err, errNotebook) {
				t.Errorf("call %d: %v", failAt, err)
			}
			sent := 0
			for _, n := range server.tries {
				sent += n
			}
			noted := 0
			for _, line := range notes.lines {
				if line[:4] == "send" {
					noted++
				}
			}
			if sent > noted {
				t.Errorf("call %d: %d requests left, %d were noted", failAt, sent, noted)
			}
			for row, result := range notes.results {
				if result.Attempts.Count != server.tries[row] {
					t.Errorf("call %d: row %d has %d attempts, %d requests left", failAt, row, result.Attempts.Count, server.tries[row])
				}
			}
		})
	}
}

func TestAPanicCostsOneRow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		notes := newNotebook(t, 20)
		server := &api{}
		set := setterFunc(func(ctx context.Context, row Row) (Receipt, error) {
			if row.Number == 5 {
				panic(row.Password.Reveal())
			}
			return server.SetPassword(ctx, row)
		})
		err := Run(t.Context(), testConfig(), rowsOf(20, nil), set, notes)
		if err != nil || len(notes.results) != 20 || notes.results[5].Outcome != Unknown {
			t.Errorf("%v, %d results, row 5 is %v", err, len(notes.results), notes.results[5].Outcome)
		}
		for row, result := range notes.results {
			if row != 5 && result.Outcome != Rotated {
				t.Errorf("row %d is %v", row, result.Outcome)
			}
		}
		if note := notes.results[5].Note; note != "internal error: a panic (string) while the row was sent" {
			t.Errorf("note %q", note)
		}
	})
}

type setterFunc func(context.Context, Row) (Receipt, error)

func (f setterFunc) SetPassword(ctx context.Context, row Row) (Receipt, error) { return f(ctx, row) }

func TestAnErrorOfTheRowsStopsTheRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("cannot read row 3")
		rows := func(yield func(Row, error) bool) {
			for row, err := range rowsOf(2, nil) {
				if !yield(row, err) {
					return
				}
			}
			yield(Row{}, broken)
		}
		notes := newNotebook(t, 2)
		err := Run(t.Context(), testConfig(), rows, &api{}, notes)
		if stopReason(err) != Broken || !errors.Is(err, broken) {
			t.Errorf("%v", err)
		}
	})
}

// Whoever calls Run wrongly gets an error, and nothing is sent.
func TestMisuse(t *testing.T) {
	server, notes := &api{}, newNotebook(t, 3)
	for name, run := range map[string]func() error{
		"no setter": func() error { return Run(t.Context(), testConfig(), rowsOf(3, nil), nil, notes) },
		"no log":    func() error { return Run(t.Context(), testConfig(), rowsOf(3, nil), server, nil) },
		"no pacer":  func() error { return Run(t.Context(), Config{}, rowsOf(3, nil), server, notes) },
		"below zero": func() error {
			return Run(t.Context(), Config{Pacer: unlimited(), Workers: -1}, rowsOf(3, nil), server, notes)
		},
		"no password": func() error {
			return Run(t.Context(), Config{Pacer: unlimited()}, rowsOf(1, nil), &api{scripts: map[int][]error{1: {policy}}}, newNotebook(t, 1))
		},
	} {
		if err := run(); !errors.Is(err, ErrConfig) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if len(server.tries) > 0 || len(notes.lines) > 0 {
		t.Errorf("requests %v, records %q", server.tries, notes.lines)
	}
}

// All but the Pacer has a default, and rows with faults go nowhere.
func TestDefaults(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, notes := &api{scripts: map[int][]error{3: {outage, nil}}}, newNotebook(t, 100)
		faulty := func(r *Row) {
			if r.Number%2 == 0 {
				r.Faults = []Fault{{Text: "no such user"}}
			}
		}
		if err := Run(t.Context(), Config{Pacer: unlimited()}, rowsOf(100, faulty), server, notes); err != nil {
			t.Fatal(err)
		}
		if len(server.tries) != 50 || server.tries[2] != 0 || notes.results[3].Outcome != Rotated {
			t.Errorf("%d rows were sent; row 3 is %v", len(server.tries), notes.results[3].Outcome)
		}
	})
}

func TestObserveSeesEachResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		config, seen := testConfig(), map[int]Outcome{}
		config.Observe = func(_ Row, r Result) { seen[r.Row] = r.Outcome }
		notes := newNotebook(t, 20)
		rotate(t, t.Context(), config, 20, nil, &api{scripts: map[int][]error{4: {refusal}}}, notes)
		if diff := cmp.Diff(outcomesOf(notes), seen); diff != "" {
			t.Error(diff)
		}
	})
}

// A generated password that may be in force is replaced only where failed rows
// are retried, and only after the API was seen to refuse it twice.
func TestADoubtfulPasswordThatTheAPIRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		retry     bool
		refusals  int // seen in earlier sessions
		want      Outcome
		passwords int
		tries     int
	}{
		"not asked for":           {false, 2, Unknown, 1, 1},
		"asked for, seen before":  {true, 2, Rotated, 2, 2},
		"asked for, seen never":   {true, 0, Rotated, 2, 3},
		"not asked for, not seen": {false, 0, Unknown, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := &api{}
				set := setterFunc(func(ctx context.Context, row Row) (Receipt, error) {
					receipt, _ := server.SetPassword(ctx, row)
					if row.Password.Reveal() == "given 1" {
						return receipt, policy
					}
					return receipt, nil
				})
				config := testConfig()
				config.RetryFailed = c.retry
				notes, began := newNotebook(t, 1), time.Now()
				doubted := func(r *Row) { r.Attempts = Attempts{Count: 1, Doubt: "timeout", Refused: c.refusals} }
				if err := Run(t.Context(), config, rowsOf(1, doubted), set, notes); err != nil {
					t.Fatal(err)
				}
				if got := notes.results[1].Outcome; got != c.want || server.tries[1] != c.tries {
					t.Errorf("%v after %d tries, want %v after %d", got, server.tries[1], c.want, c.tries)
				}
				if got := len(slices.Compact(server.passwords[1])); got != c.passwords {
					t.Errorf("%d passwords, want %d", got, c.passwords)
				}
				if paused := time.Since(began) > 0; paused != (c.refusals == 0) {
					t.Errorf("paused between two refusals: %v", paused)
				}
			})
		})
	}
}

// For every mix of answers, workers and interrupts: each row that left has
// exactly one result, rows that did not leave have none, and what the API
// saw agrees with the outcome.
func TestEveryRowOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		synctest.Test(t, func(t *testing.T) {
			n := rapid.IntRange(0, 30).Draw(rt, "rows")
			config := testConfig()
			config.Workers = rapid.IntRange(1, 6).Draw(rt, "workers")
			config.Canary = rapid.IntRange(0, 4).Draw(rt, "canary")
			config.MaxFailures = Threshold{}
			answers := []error{nil, nil, refusal, outage, offline, throttle, policy, denied}
			server := &api{scripts: map[int][]error{}, latency: time.Second}
			for row := 1; row <= n; row++ {
				server.scripts[row] = rapid.SliceOfN(rapid.SampledFrom(answers), 0, 4).Draw(rt, "script")
				server.scripts[row] = append(server.scripts[row], nil)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			if after := rapid.IntRange(0, 40).Draw(rt, "interrupt"); after > 0 {
				time.AfterFunc(time.Duration(after)*time.Second/2, cancel)
			}
			notes := newNotebook(t, n)
			err := rotate(t, ctx, config, n, nil, server, notes)
			for row := 1; row <= n; row++ {
				result, finished := notes.results[row]
				if finished != (server.tries[row] > 0) {
					rt.Fatalf("row %d: %d tries, finished %v", row, server.tries[row], finished)
				}
				if finished && result.Attempts.Count != server.tries[row] {
					rt.Fatalf("row %d: %d tries, %d counted", row, server.tries[row], result.Attempts.Count)
				}
			}
			if err == nil && len(notes.results) != n {
				rt.Fatalf("done, with %d results for %d rows", len(notes.results), n)
			}
		})
	})
}
