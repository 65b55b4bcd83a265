package cli

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/batch/pace"
	"siprotate/batch/rotation"
	"siprotate/report"
)

// TestFollowEstimatesAsTheRun follows a run that has spent its allowance of an hour.
func TestFollowEstimatesAsTheRun(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "users.run")
	j := planRun(t, dir, 60)
	defer j.Close()
	noError(t, j.Begin("test", false))
	for i := 1; i <= 20; i++ {
		row := batch.Row{Number: i, Attempts: batch.Attempts{Count: 1}}
		noError(t, j.Sending(&row, time.Now()))
		if i < 20 { // the last one is under way
			noError(t, j.Finish(batch.Result{Row: i, Outcome: batch.Rotated, Attempts: row.Attempts, Finished: time.Now()}))
		}
	}

	look := func(o pace.Options) report.Status {
		f := &follower{told: map[int]bool{}}
		noError(t, f.look(rotation.Rotation{Dir: dir, Pace: o}))
		return *f.status.Load()
	}
	s := look(pace.Options{Rate: pace.Rate{N: 20, Per: time.Hour}})
	if s.Done != 19 || s.Requests != 20 || s.Used != 20 || s.Allowance != 20 {
		t.Errorf("%+v", s)
	}
	// 41 rows are left: the first of them in almost an hour, the last one two hours later.
	if s.ETA < 2*time.Hour || s.ETA > 3*time.Hour || s.Waiting != string(pace.Allowance) || time.Until(s.Until) > time.Hour || s.Until.Before(time.Now()) {
		t.Errorf("waiting: %+v", s)
	}
	if s := look(pace.Options{}); s.Allowance != 50 || s.Waiting != "" || s.ETA < 0 {
		t.Errorf("by the vendor's rate: %+v", s)
	}
	if s := look(pace.Options{Rate: pace.Unlimited}); s.Allowance != 0 || s.Waiting != "" || s.ETA < 0 {
		t.Errorf("without a limit: %+v", s)
	}
}

// planRun plans a run of so many rows.
func planRun(t *testing.T, dir string, rows int) *journal.Journal {
	t.Helper()
	p, err := journal.Create(dir, journal.Head{Account: "acc", Host: "api.example"}, journal.Plain)
	noError(t, err)
	for i := 1; i <= rows; i++ {
		noError(t, p.Add(batch.Row{Number: i, UserID: "ab1", DeviceID: fmt.Sprint(i), Password: batch.NewSecret("Sample-Only-01!")}))
	}
	j, err := p.Seal("sum", nil)
	noError(t, err)
	return j
}

func noError(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
