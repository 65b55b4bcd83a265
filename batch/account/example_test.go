package account_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"siprotate/batch/account"
	"siprotate/batch/pace"
)

// A process takes the lease of its account, counts what its predecessors sent
// against the allowance, and leaves to the next one what it sent itself.
func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	send := func(requests int) error {
		lease, err := account.Take(context.Background(), folder, "api.example", "acme", "users.run", false)
		if err != nil {
			return err // account.ErrBusy, if another process has it
		}
		pacer, err := pace.New(pace.Options{Rate: pace.Rate{N: 50, Per: time.Minute}})
		if err != nil {
			return err
		}
		ends, held, err := lease.Begin(nil, 50)
		if err != nil {
			return err
		}
		pacer.Prime(ends, held)
		fmt.Println(pacer.State().Used, "requests count already")
		for range requests {
			slot, err := pacer.Take(context.Background())
			if err != nil {
				return err
			}
			slot.Done(pace.Feedback{})
		}
		return lease.Return(pacer.Spent())
	}
	if err := errors.Join(send(3), send(0)); err != nil {
		fmt.Println(err)
	}
	// Output:
	// 0 requests count already
	// 3 requests count already
}
