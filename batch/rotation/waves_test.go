package rotation

import (
	"iter"
	"slices"
	"testing"

	"siprotate/batch"
)

// pendingRows yields rows 1 to n, each with the value of a column.
func pendingRows(values ...string) iter.Seq2[batch.Row, error] {
	return func(yield func(batch.Row, error) bool) {
		for i, value := range values {
			if !yield(batch.Row{Number: i + 1, Extra: []string{value}}, nil) {
				return
			}
		}
	}
}

func TestGatesThatAreLeft(t *testing.T) {
	for name, c := range map[string]struct {
		sizes           []int
		passed, settled int
		count           int
		want            []int
	}{
		"from the start":               {[]int{5, 50}, 0, 0, 100, []int{5, 55}},
		"no rows behind the last":      {[]int{5, 50}, 0, 0, 55, []int{5}},
		"in the first wave":            {[]int{5, 50}, 0, 3, 97, []int{2, 52}},
		"at a gate that stayed closed": {[]int{5, 50}, 0, 5, 95, []int{0, 50}},
		"at a gate that opened":        {[]int{5, 50}, 1, 5, 95, []int{50}},
		"in the second wave":           {[]int{5, 50}, 1, 15, 85, []int{40}},
		"settled beyond a closed gate": {[]int{5, 50}, 0, 9, 91, []int{0, 46}},
		"all gates passed":             {[]int{5, 50}, 2, 60, 40, nil},
		"no waves":                     {nil, 0, 0, 100, nil},
		"nothing is left to be sent":   {[]int{5}, 0, 5, 0, []int{0}},
	} {
		s, err := Waves{Sizes: c.sizes}.schedule(pendingRows(), nil, c.passed, c.settled, c.count)
		if err != nil || !slices.Equal(s.gates, c.want) {
			t.Errorf("%s: %v, want %v (%v)", name, s.gates, c.want, err)
		}
	}
}

// No two rows of a wave have the same value in the column, whatever that takes.
func TestWavesKeepApart(t *testing.T) {
	rows := pendingRows("desk", "desk", "", "", "hall", "desk", "hall", "yard")
	s, err := Waves{Sizes: []int{2, 3}, Apart: "Place"}.schedule(rows, []string{"place"}, 0, 0, 8)
	if err != nil {
		t.Fatal(err)
	}
	var got []int
	for row, err := range s.rows {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, row.Number)
	}
	if want := []int{1, 3, 2, 4, 5, 6, 7, 8}; !slices.Equal(got, want) {
		t.Errorf("rows %v, want %v", got, want)
	}
	if want := []int{2, 5}; !slices.Equal(s.gates, want) {
		t.Errorf("gates after %v, want %v", s.gates, want)
	}
}
