package report_test

import (
	"fmt"
	"os"
	"time"

	"siprotate/batch"
	"siprotate/report"
)

// A run of two rows, rendered to standard output and in words.
func Example() {
	run := report.Run{Dir: "users.run", Took: 3 * time.Second, Requests: 2}
	entries := func(yield func(batch.Entry, error) bool) {
		_ = yield(batch.Entry{
			Row:    batch.Row{Number: 1, Line: 2, Email: "asha@example.com", Password: batch.NewSecret("placeholder")},
			Result: batch.Result{Row: 1, Outcome: batch.Rotated},
		}, nil) && yield(batch.Entry{
			Row:    batch.Row{Number: 2, Line: 3, Email: "bilal@example.com"},
			Result: batch.Result{Row: 2, Outcome: batch.Failed, Receipt: batch.Receipt{HTTPCode: 404, ErrorMessage: "User not found"}},
		}, nil)
	}
	digest, err := report.Render(os.Stdout, run, entries, report.CredentialsCSV)
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = digest.Closing(os.Stdout, 0, "siprotate resume --retry-failed users.run")
	// Output:
	// row,user_id,device_id,sip_id,email,password,outcome
	// 1,,,,asha@example.com,placeholder,rotated
	// 1 of 2 rows rotated in 3 s
	//
	//   1  rotated
	//   1  failed: the old password stands
	//
	// not rotated, and why:
	//   1 row  404  User not found
	//          bilal@example.com, line 3
	//
	// 2 requests
	//
	// to resume:
	//   siprotate resume --retry-failed users.run
}
