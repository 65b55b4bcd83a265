package exotel

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// checkPlainSuccess checks that the short way through a body leads where the long
// one does, or nowhere.
func checkPlainSuccess(t rapid.TB, body []byte) {
	t.Helper()
	var short, long Answer
	if !short.readPlainSuccess(body) {
		if short != (Answer{}) {
			t.Errorf("%q is left alone, and yet says %+v", body, short)
		}
		return
	}
	if problem := long.readAnyBody(body); problem != "" || short != long {
		t.Errorf("%q says %+v, want %+v with problem %q", body, short, long, problem)
	}
}

func TestPlainSuccess(t *testing.T) {
	for _, id := range []string{"", "r1", "affd93c2e3674424993e4d70c012156e", "3b1c-4f~!@#$%^&*() <'>"} {
		var a Answer
		body := strings.Replace(accepting, "r1", id, 1)
		if want := (Answer{RequestID: id, Code: "200", Status: "success"}); !a.readPlainSuccess([]byte(body)) || a != want {
			t.Errorf("%s says %+v, want %+v", body, a, want)
		}
	}
}

// Bodies like the documented one: with any request id, and with any part of
// them replaced.
func TestPlainSuccessReadsAsAnyBody(t *testing.T) {
	ids := rapid.OneOf(
		rapid.StringMatching(`[0-9a-f]{32}`),
		rapid.StringMatching(`[ -~]{0,8}`),
		rapid.String(),
		rapid.Just(`","response":null,"x":"`),
	)
	pieces := rapid.OneOf(rapid.SliceOfN(rapid.Byte(), 0, 3), rapid.Just([]byte(`\`)), rapid.Just([]byte(`,"Code":409`)))
	rapid.Check(t, func(t *rapid.T) {
		body := []byte(plainSuccessHead + ids.Draw(t, "id") + plainSuccessTail)
		checkPlainSuccess(t, body)
		from := rapid.IntRange(0, len(body)).Draw(t, "from")
		to := rapid.IntRange(from, min(from+3, len(body))).Draw(t, "to")
		changed := append(body[:from:from], pieces.Draw(t, "piece")...)
		checkPlainSuccess(t, append(changed, body[to:]...))
	})
}
