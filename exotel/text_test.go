package exotel

import (
	"encoding/json"
	"testing"

	"pgregory.net/rapid"
)

func TestText(t *testing.T) {
	for source, want := range map[string]text{
		`"a"`: "a", `""`: "", `"a\u00e4\n\"b"`: "aä\n\"b", "\"\xff\"": "\ufffd", `490039`: "490039", `-1.50e3`: "-1.50e3",
		`12345678901234567890123`: "12345678901234567890123", `null`: "", `true`: "true", `["a"]`: `["a"]`, `{}`: "{}",
	} {
		got := text("before")
		if err := json.Unmarshal([]byte(source), &got); err != nil || got != want {
			t.Errorf("%s reads as %q, error %v; want %q", source, got, err, want)
		}
	}
}

func TestTextReadsEveryString(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.String().Draw(t, "string")
		source, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		var got text
		if err := json.Unmarshal(source, &got); err != nil || string(got) != want {
			t.Errorf("%s reads as %q, error %v", source, got, err)
		}
	})
}
