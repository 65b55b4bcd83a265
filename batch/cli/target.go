package cli

import (
	"fmt"
	"time"

	"siprotate/batch"
	"siprotate/batch/journal"
	"siprotate/exotel"
	"siprotate/exotel/exoteltest"
)

// The answers of the built-in stand-in take as long as those of a real API
// roughly do, so that there is something to see.
const (
	sandboxLatency = 80 * time.Millisecond
	sandboxJitter  = 80 * time.Millisecond
)

// target returns the client that a run's requests go through: of the account,
// or of a stand-in that holds the run's devices.
func (a *app) target(j *journal.Journal, acc endpoint, s settings) (*exotel.Client, error) {
	if acc.host() != sandboxHost {
		return a.client(acc, s.config.Workers)
	}
	standIn := exoteltest.New(exoteltest.Options{
		AccountSID: acc.sid, Latency: sandboxLatency, Jitter: sandboxJitter,
	})
	for entry, err := range j.Entries() {
		if err != nil {
			return nil, &exitError{exitFailure, err, ""}
		}
		if entry.Result.Outcome == batch.Invalid {
			continue
		}
		row := entry.Row
		if err := standIn.AddDevice(row.UserID, row.DeviceID, row.SIPID, row.Email); err != nil {
			return nil, &exitError{exitFailure, fmt.Errorf("row %d: %w", row.Number, err), ""}
		}
	}
	return sandboxClient(acc, standIn)
}

// sandboxClient returns a client for a stand-in in this process.
func sandboxClient(acc endpoint, standIn *exoteltest.Server) (*exotel.Client, error) {
	return exotel.New(exotel.Config{
		BaseURL: acc.baseURL, AccountSID: acc.sid, Transport: standIn.Transport(),
		Credentials: func() (string, string, error) {
			return exoteltest.DefaultCredential, exoteltest.DefaultCredential, nil
		},
	})
}
