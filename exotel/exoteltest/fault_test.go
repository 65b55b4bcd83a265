package exoteltest

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFaults(t *testing.T) {
	tests := []struct {
		list string
		want map[Fault]float64
		err  string // a part of it
	}{
		{list: "", want: map[Fault]float64{}},
		{list: "reset-before=1%,http500=0.02", want: map[Fault]float64{ResetBefore: 0.01, HTTP500: 0.02}},
		{list: " slow = 50% , cut-body = 0.5 ", want: map[Fault]float64{Slow: 0.5, CutBody: 0.5}},
		{list: "slow=0", want: map[Fault]float64{Slow: 0}},
		{list: "slow", err: "want name=probability"},
		{list: "slow=", err: "want name=probability"},
		{list: "slow=1e400", err: "want name=probability"},
		{list: "slow=x%", err: "want name=probability"},
		{list: "slow=-1%", err: "not between 0 and 1"},
		{list: "slow=101%", err: "not between 0 and 1"},
		{list: "slow=NaN", err: "not between 0 and 1"},
		{list: "slow=Inf", err: "not between 0 and 1"},
		{list: "slow=1%,slow=1%", err: "twice"},
		{list: "slwo=1%", err: `no fault is called "slwo": there are reset-before, `},
		{list: "slow=60%,http503=41%", err: "more than 1"},
		{list: "slow=1%,", err: "want name=probability"},
	}
	for _, tt := range tests {
		got, err := ParseFaults(tt.list)
		if tt.err != "" {
			if err == nil || !strings.Contains(err.Error(), tt.err) {
				t.Errorf("%q: error %v, want one with %q", tt.list, err, tt.err)
			}
			continue
		}
		if diff := cmp.Diff(tt.want, got); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", tt.list, err, diff)
		}
	}
}

func FuzzParseFaults(f *testing.F) {
	f.Add("reset-before=1%,http500=0.02")
	f.Add("slow=NaN,=,%")
	f.Fuzz(func(t *testing.T, list string) {
		faults, err := ParseFaults(list)
		if err != nil {
			return
		}
		sum := 0.0
		for fault, p := range faults {
			if !slices.Contains(FaultNames(), string(fault)) {
				t.Errorf("%q is no fault", fault)
			}
			sum += p
		}
		if !(sum >= 0 && sum < 1.001) {
			t.Errorf("probabilities add up to %v", sum)
		}
	})
}

func TestFaultsKeepToTheirProbabilities(t *testing.T) {
	faults := map[Fault]float64{ResetBefore: 0.1, Slow: 0.3, HTTP500: 0}
	rng := rand.New(rand.NewPCG(1, 2))
	const draws = 100_000
	got := make(map[Fault]float64)
	for range draws {
		got[drawFault(faults, rng.Float64())] += 1.0 / draws
	}
	want := map[Fault]float64{ResetBefore: 0.1, Slow: 0.3, "": 0.6}
	if len(got) != len(want) {
		t.Errorf("drew %v", got)
	}
	for fault, p := range want {
		if math.Abs(got[fault]-p) > 0.01 {
			t.Errorf("%q: drawn in %.3f of cases, want %v", fault, got[fault], p)
		}
	}
}
