package roster_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"siprotate/batch"
	"siprotate/batch/roster"
)

// Read a file: its rows, their faults, and the faults of the input as a whole.
func Example() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "users.csv")
	text := "User ID;Device ID;Team\n" +
		"0f3c5d2e8b7a4961a2b3c4d5e6f70811;490038;North\n" +
		"1f3c5d2e8b7a4961a2b3c4d5e6f70812;4,9E+05;South\n" +
		"\"2f3c5d2e8b7a4961a2b3c4d5e6f70813;490040;South\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		fmt.Println(err)
		return
	}

	r, err := roster.File(path, roster.Options{
		CheckPassword: func(password string) error { return nil }, // such as exotel.CheckPassword
		CheckID: func(id string) error { // such as exotel.CheckID
			if strings.ContainsAny(id, "/?#") {
				return errors.New("would change the path of the URL")
			}
			return nil
		},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for row, err := range r.Rows() {
		var fault batch.Fault
		switch {
		case errors.As(err, &fault):
			fmt.Println("input:", fault)
		case err != nil:
			fmt.Println(err)
		case len(row.Faults) > 0:
			fmt.Printf("row %d, line %d%v\n", row.Number, row.Line, row.Faults[0])
		default:
			fmt.Println("row", row.Number, row.DeviceID, r.Columns(), row.Extra)
		}
	}

	// Output:
	// row 1 490038 [Team] [North]
	// row 2, line 3: device_id: "4,9E+05" looks like a spreadsheet turned it into a number
	// input: users.csv:4: a quoted cell that begins here is never closed
}
