package rotation

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

const allowed = 50 // a minute

var attackLong = flag.Bool("attack.long", false, "kill runs at more instants")

// TestAllowanceHoldsAcrossKills kills and resumes a run at random instants, in
// virtual time and through everything but the network. However the API
// counts, it never counts more than the allowance in any minute, and refuses
// nothing; and in the end it holds the passwords that the journal has.
func TestAllowanceHoldsAcrossKills(t *testing.T) {
	t.Parallel()
	seeds := uint64(2)
	if *attackLong {
		seeds = 5
	}
	for _, kind := range []exoteltest.Kind{exoteltest.FixedWindow, exoteltest.SlidingWindow, exoteltest.TokenBucket} {
		for _, headers := range []exoteltest.HeaderMode{exoteltest.NoHeaders, exoteltest.AllHeaders} {
			t.Run(fmt.Sprintf("%v, headers %d", kind, headers), func(t *testing.T) {
				for seed := range seeds {
					dir := filepath.Join(t.TempDir(), "users.run")
					synctest.Test(t, func(t *testing.T) {
						surviveKills(t, dir, rand.New(rand.NewPCG(seed, 5)), exoteltest.New(exoteltest.Options{
							Users: 300, Limit: exoteltest.Limit{N: allowed, Per: time.Minute, Kind: kind}, Headers: headers,
							Latency: 200 * time.Millisecond, Jitter: 200 * time.Millisecond, Seed: seed, Record: true,
						}))
					})
				}
			})
		}
	}
}

func surviveKills(t *testing.T, dir string, rng *rand.Rand, api *exoteltest.Server) {
	client := standInClient(t, api)
	must(t, planned(t, dir, 300, generatedRow).Close())
	for lives := 3; ; lives-- {
		j, err := journal.Open(dir, journal.Plain)
		must(t, err)
		log := &killable{Journal: j}
		if lives > 0 {
			time.AfterFunc(time.Duration(rng.Int64N(int64(3*time.Minute))), func() { log.dead.Store(true) })
		}
		err = live(t, log, client)
		if err == nil {
			checkPasswords(t, j, api)
		}
		must(t, j.Close())
		if err == nil {
			break
		}
	}
	if busiest, refused := api.Busiest(time.Minute), api.Stats().Refused; busiest > allowed || refused > 0 {
		t.Errorf("%d requests were counted in a minute, %d were refused", busiest, refused)
	}
}

func generatedRow(n int) batch.Row {
	user := exoteltest.GeneratedUser(n - 1)
	return batch.Row{Number: n, UserID: user.ID, DeviceID: user.Devices[1].ID, Password: batch.NewSecret(fmt.Sprintf("Sample-Only-%d", n))}
}

// live goes on with a run as the program does, until it is done or dead.
func live(t *testing.T, log *killable, client *exotel.Client) error {
	pacer, err := pace.New(pace.Options{Rate: pace.Rate{N: allowed, Per: time.Minute}})
	must(t, err)
	pacer.Prime(log.Recent(), log.Held())
	must(t, log.Begin("test", false))
	_, rows := log.Pending(false)
	return batch.Run(context.Background(), batch.Config{Pacer: pacer}, rows, setter{client, unheard()}, log)
}

// A killable is a journal whose process may be killed: nothing is written from
// then on, and so nothing is sent; what is under way still arrives.
type killable struct {
	*journal.Journal
	dead atomic.Bool
}

var errDead = errors.New("killed")

func (k *killable) Sending(row *batch.Row, at time.Time) error {
	if k.dead.Load() {
		return errDead
	}
	return k.Journal.Sending(row, at)
}

func (k *killable) Tried(r batch.Result) error {
	if k.dead.Load() {
		return errDead
	}
	return k.Journal.Tried(r)
}

func (k *killable) Finish(r batch.Result) error {
	if k.dead.Load() {
		return errDead
	}
	return k.Journal.Finish(r)
}

func checkPasswords(t *testing.T, j *journal.Journal, api *exoteltest.Server) {
	t.Helper()
	for entry, err := range j.Entries() {
		must(t, err)
		held, _ := api.Password(entry.Row.UserID, entry.Row.DeviceID)
		if entry.Result.Outcome != batch.Rotated || held != entry.Row.Password.Reveal() {
			t.Errorf("row %d is %v, and its device holds another password: %v", entry.Row.Number, entry.Result.Outcome, held != entry.Row.Password.Reveal())
		}
	}
}
