package journal_test

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
)

// A run is planned, worked at, and looked at again.
func Example() {
	folder, err := os.MkdirTemp("", "example")
	check(err)
	defer os.RemoveAll(folder)
	dir := filepath.Join(folder, "users.run")

	plan, err := journal.Create(dir, journal.Head{Run: "example", Input: "users.csv"}, journal.Plain)
	check(err)
	check(plan.Add(batch.Row{Number: 1, Line: 2, UserID: "U1", DeviceID: "101", Password: batch.NewSecret("Sample-Only-01!")}))
	check(plan.Add(batch.Row{Number: 2, Line: 3, UserID: "U2", Faults: []batch.Fault{{Column: "device_id", Text: "is empty"}}}))
	run, err := plan.Seal("digest of users.csv", nil)
	check(err)

	check(run.Begin("example 1.0", false))
	_, rows := run.Pending(false)
	for row, err := range rows {
		check(err)
		row.Attempts.Count++
		check(run.Sending(&row, time.Now())) // now the request may leave
		check(run.Finish(batch.Result{Row: row.Number, Outcome: batch.Rotated, Attempts: row.Attempts, Finished: time.Now()}))
	}
	check(run.Stop(journal.Totals{}))
	check(run.Close())

	view, err := journal.Read(dir, journal.Plain)
	check(err)
	defer view.Close()
	for entry, err := range view.Entries() {
		check(err)
		fmt.Printf("%d %v %q\n", entry.Row.Number, entry.Result.Outcome, entry.Result.Note)
	}
	// Output:
	// 1 rotated ""
	// 2 invalid "device_id: is empty"
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
