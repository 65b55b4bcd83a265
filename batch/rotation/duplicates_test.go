package rotation

import (
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestTwins compares with a map.
func TestTwins(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ids := rapid.SliceOf(rapid.IntRange(0, 30)).Draw(t, "devices")
		var d duplicates
		rows := make(map[int][]int)
		for i, id := range ids {
			d.add("user", strconv.Itoa(id), i+1, i+2, id%2 == 0)
			rows[id] = append(rows[id], i+1)
		}
		want := make(map[int]int)
		for _, same := range rows {
			for i, row := range same {
				if i > 0 {
					want[row] = same[0] + 1
				} else if len(same) > 1 {
					want[row] = same[1] + 1
				}
			}
		}
		got := make(map[int]int)
		for s, line := range d.twins() {
			got[s.number()] = line
			if s.faulty() != (ids[s.number()-1]%2 == 0) {
				t.Fatalf("row %d: faulty is %t", s.number(), s.faulty())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// TestTwinSpellings takes the spellings of one user id for one user.
func TestTwinSpellings(t *testing.T) {
	var d duplicates
	d.add("0f3c5d2e8b7a4961a2b3c4d5e6f70811", "1", 1, 2, false)
	d.add("0F3C5D2E-8B7A-4961-A2B3-C4D5E6F70811", "1", 2, 3, false)
	d.add("0f3c5d2e8b7a4961a2b3c4d5e6f70811", "11", 3, 4, false)
	got := make(map[int]int)
	for s, line := range d.twins() {
		got[s.number()] = line
	}
	if diff := cmp.Diff(map[int]int{1: 3, 2: 2}, got); diff != "" {
		t.Error(diff)
	}
}
