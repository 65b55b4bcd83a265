package cli

import (
	"strings"
	"testing"
)

// The table of runs leaves out what does not fit the terminal, and nothing else.
func TestRunsTable(t *testing.T) {
	run := runLine{Run: "users.run", Input: "users.csv", Account: "sandbox", State: "finished", Rows: 24, Rotated: 24}
	full := "STARTED  RUN        INPUT      ACCOUNT  STATE     ROTATED  LEFT  FAILED"
	for _, test := range []struct {
		width int
		want  string
	}{
		{0, full},
		{200, full},
		{len(full), full},
		{len(full) - 1, "STARTED  RUN        INPUT      STATE     ROTATED  LEFT  FAILED"},
		{len(full) - 10, "STARTED  RUN        STATE     ROTATED  LEFT  FAILED"},
		{len(full) - 21, "RUN        STATE     ROTATED  LEFT  FAILED"},
		{20, "RUN        STATE     ROTATED  FAILED"},
	} {
		var b strings.Builder
		if err := runsTable(&b, []runLine{run}, test.width); err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(b.String(), "\n"); got != test.want {
			t.Errorf("at %d columns:\n%s\nwant\n%s", test.width, got, test.want)
		}
	}
}
