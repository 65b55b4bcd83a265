package pace_test

import (
	"context"
	"fmt"
	"sync"
	"time"

	"siprotate/batch/pace"
)

// Workers take a slot before each request, and give it back with what the answer
// says of the allowance.
func Example() {
	rate, err := pace.ParseRate("100/s")
	if err != nil {
		fmt.Println(err)
		return
	}
	pacer, err := pace.New(pace.Options{Rate: rate})
	if err != nil {
		fmt.Println(err)
		return
	}
	var workers sync.WaitGroup
	for range 4 {
		workers.Go(func() {
			for range 5 {
				slot, err := pacer.Take(context.Background())
				if err != nil {
					fmt.Println(err)
					return
				}
				// Send the request here, and read its answer.
				slot.Done(pace.Feedback{})
			}
		})
	}
	workers.Wait()
	state := pacer.State()
	fmt.Println(state.Requests, "requests,", state.Used, "of", state.Rate, "used,", state.Throttled, "refused")
	// Output: 20 requests, 20 of 100/s used, 0 refused
}

// A process hands on what it spent, so that the next one, whatever its rate,
// stays within its allowance.
func ExamplePacer_Prime() {
	first, _ := pace.New(pace.Options{Rate: pace.Unlimited})
	for range 30 {
		slot, _ := first.Take(context.Background())
		slot.Done(pace.Feedback{})
	}
	second, _ := pace.New(pace.Options{Rate: pace.Rate{N: 50, Per: time.Minute}})
	second.Prime(first.Spent())
	fmt.Println(second.State().Used, "of", second.State().Rate, "used")
	fmt.Println("50 more take about", second.Estimate(50).Round(time.Minute))
	// Output:
	// 30 of 50/m used
	// 50 more take about 1m0s
}
