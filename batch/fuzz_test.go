package batch

import (
	"strings"
	"testing"
)

// FuzzParseThreshold reads any text. What is taken for a threshold stops a run
// in which every row fails, and says so in numbers only.
func FuzzParseThreshold(f *testing.F) {
	for _, text := range []string{
		"1", "25", "0", "-1", "+5", "5%", "0.5%", "100%", "100.1%", "0%", "-5%", "%", "%%", "", " 5", "5 ", "1e3", "1e1%", "0x10", "0x1p3%",
		"NaN%", "Inf%", "-Inf%", "1_000", "9223372036854775808", "99999999999999999999%", "5％", "٥", "5%5", "1e-400%",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		threshold, err := ParseThreshold(text)
		if err != nil {
			if threshold != (Threshold{}) {
				t.Fatalf("%q: %+v beside an error", text, threshold)
			}
			return
		}
		byRows, byShare := threshold.Rows >= 1, threshold.Percent > 0 && threshold.Percent <= 100
		if byRows == byShare || byShare != strings.HasSuffix(text, "%") {
			t.Fatalf("%q: %+v", text, threshold)
		}
		stopped := stopRules{threshold: threshold}
		for range max(percentFrom, min(threshold.Rows, 1000)) {
			stopped.add(Failed)
		}
		if threshold.Rows <= 1000 && !stopped.tooMany() {
			t.Fatalf("%q: a run in which every row fails goes on", text)
		}
	})
}
