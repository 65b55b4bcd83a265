// Siprotate resets the SIP passwords of many Exotel users in one go.
package main

import (
	"os"

	"siprotate/batch/cli"
)

func main() { os.Exit(cli.Main()) }
