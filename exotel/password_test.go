package exotel

import (
	"bytes"
	crand "crypto/rand"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestCheckPassword(t *testing.T) {
	tests := []struct {
		name, password string
		want           string // part of the error, "" for none
	}{
		{"three classes", "abcdefG1", ""},
		{"four classes", "abcdE1!?", ""},
		{"no letters below, none above", "ABCDEF1!", ""},
		{"every ASCII punctuation counts", "abcdefG~", ""},
		{"space counts for none", "abcdefg1 ", "needs 1 more of A-Z, special characters"},
		{"other letters count for none", "äöüÄÖÜ1a", "needs 1 more of A-Z, special characters"},
		{"other letters are accepted", "aB1äöüéè", ""},
		{"characters are counted, not bytes", "aB1äöü", "has 6 characters where at least 8 are needed"},
		{"eight characters of many bytes", "aB1日本語日本", ""},
		{"seven", "abcdE1!", "has 7 characters where at least 8 are needed"},
		{"empty", "", "needs 3 more of a-z, A-Z, 0-9, special characters"},
		{"two classes", "abcdefg1", "needs 1 more of A-Z, special characters"},
		{"one class", "abcdefgh", "needs 2 more of A-Z, 0-9, special characters"},
		{"two faults", "abc", "has 3 characters where at least 8 are needed, and needs 2 more of A-Z, 0-9, special characters"},
		{"tab", "abcdE1!?\t", "holds a control character"},
		{"line end", "abcdE1!?\n", "holds a control character"},
		{"NUL", "abcd\x00E1!?", "holds a control character"},
		{"DEL", "abcdE1!?\x7f", "holds a control character"},
		{"C1", "abcdE1!?\u0085", "holds a control character"},
		{"invalid UTF-8", "abcdE1!?\xff", "is not valid UTF-8"},
		{"cut UTF-8", "abcdE1!?\xc3", "is not valid UTF-8"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			err := CheckPassword(test.password)
			if test.want == "" {
				if err != nil {
					t.Errorf("error %q, want none", err)
				}
				return
			}
			if policy, ok := errors.AsType[*PolicyError](err); !ok || !strings.Contains(policy.Error(), test.want) {
				t.Errorf("error %v, want a PolicyError with %q", err, test.want)
			}
		})
	}
}

// The rule, said once more in another way.
func compliant(password string) bool {
	if !utf8.ValidString(password) || len([]rune(password)) < 8 {
		return false
	}
	classes := 0
	for _, chars := range []string{
		"abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~",
	} {
		if strings.ContainsAny(password, chars) {
			classes++
		}
	}
	return classes >= 3 && !strings.ContainsFunc(password, func(r rune) bool { return unicode.Is(unicode.Cc, r) })
}

func TestCheckPasswordProperty(t *testing.T) {
	candidates := rapid.OneOf(
		rapid.String(),
		rapid.StringMatching(`[a-zA-Z0-9!-~ äß\x00]{0,12}`),
		rapid.Custom(func(t *rapid.T) string { return string(rapid.SliceOfN(rapid.Byte(), 6, 14).Draw(t, "bytes")) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		password := candidates.Draw(t, "password")
		if err := CheckPassword(password); (err == nil) != compliant(password) {
			t.Errorf("%q: error %v, compliant %v", password, err, compliant(password))
		}
	})
}

func seeded(seed byte) io.Reader { return rand.NewChaCha8([32]byte{seed}) }

func TestGenerateComplies(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(MinGeneratedLength, MaxGeneratedLength).Draw(t, "length")
		source := seeded(rapid.Byte().Draw(t, "seed"))
		for range 20 {
			password, err := Generate(source, length)
			if err != nil {
				t.Fatal(err)
			}
			if len(password) != length || !compliant(password) {
				t.Errorf("%q does not comply with length %d", password, length)
			}
			if !strings.Contains("abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ", password[:1]) {
				t.Errorf("%q does not start with a letter", password)
			}
			if strings.Trim(password, "abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789!@#$%^&*") != "" {
				t.Errorf("%q has characters outside the alphabet", password)
			}
		}
	})
}

func TestGenerateRefusesLengths(t *testing.T) {
	for _, length := range []int{-1, 0, 7, 129, 1 << 40} {
		if password, err := Generate(seeded(1), length); err == nil || password != "" {
			t.Errorf("length %d: %q and error %v, want an error", length, password, err)
		}
	}
}

// chiSquared returns how far the counts are from all being equal.
func chiSquared(counts []int, total int) float64 {
	expected := float64(total) / float64(len(counts))
	var sum float64
	for _, n := range counts {
		sum += (float64(n) - expected) * (float64(n) - expected) / expected
	}
	return sum
}

// In a long password, rejection hardly ever happens, so that every position
// must be uniform over the alphabet, and the first over the letters. The bounds
// are the 99.99% quantiles of the distributions with 62 and 48 degrees of freedom.
func TestGenerateIsUniformPerCharacter(t *testing.T) {
	const draws, length = 5000, 100
	rest, first := make([]int, len(alphabet)), make([]int, letterCount)
	source := seeded(7)
	for range draws {
		password, err := Generate(source, length)
		if err != nil {
			t.Fatal(err)
		}
		first[strings.IndexByte(alphabet, password[0])]++
		for _, c := range []byte(password[1:]) {
			rest[strings.IndexByte(alphabet, c)]++
		}
	}
	if x := chiSquared(rest, draws*(length-1)); x > 112 {
		t.Errorf("chi-squared of the characters is %.1f, want at most 112", x)
	}
	if x := chiSquared(first, draws); x > 92 {
		t.Errorf("chi-squared of the first characters is %.1f, want at most 92", x)
	}
}

// In the shortest one, rejection is frequent. Uniform over the compliant strings
// means: which classes occur is distributed as in a count of the strings.
func TestGenerateIsUniformOverCompliantStrings(t *testing.T) {
	const draws = 50000
	all := lower | upper | digit | special
	sizes := map[charClasses]float64{lower: 25, upper: 24, digit: 8, special: 7}
	want := map[charClasses]float64{}
	var sum float64
	for set := range all + 1 {
		if set.count() >= minPasswordClasses {
			want[set] = stringsWithExactly(set, sizes)
			sum += want[set]
		}
	}
	got := map[charClasses]int{}
	source := seeded(9)
	for range draws {
		password, err := Generate(source, MinGeneratedLength)
		if err != nil {
			t.Fatal(err)
		}
		got[classesOf(password)]++
	}
	var x float64
	for set, n := range want {
		expected := n / sum * draws
		x += (float64(got[set]) - expected) * (float64(got[set]) - expected) / expected
	}
	// The 99.99% quantile with four degrees of freedom.
	if x > 23.5 {
		t.Errorf("chi-squared of the classes is %.1f, want at most 23.5", x)
	}
}

// stringsWithExactly counts, by inclusion and exclusion, the strings of the
// shortest length that start with a letter and hold just the classes of set.
func stringsWithExactly(set charClasses, sizes map[charClasses]float64) float64 {
	var sum float64
	for part := range set + 1 {
		if part&^set != 0 {
			continue
		}
		var letters, chars float64
		for class, size := range sizes {
			if part&class == 0 {
				continue
			}
			chars += size
			if class == lower || class == upper {
				letters += size
			}
		}
		n := letters
		for range MinGeneratedLength - 1 {
			n *= chars
		}
		if (set.count()-part.count())%2 == 1 {
			n = -n
		}
		sum += n
	}
	return sum
}

func TestGenerateReportsItsSource(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Generate(iotest.ErrReader(broken), 20); !errors.Is(err, broken) {
		t.Errorf("error %v, want the reader's", err)
	}
	if _, err := Generate(bytes.NewReader([]byte("short")), 20); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("error %v, want an unexpected end", err)
	}
}

type constant byte

func (c constant) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(c)
	}
	return len(p), nil
}

func TestGenerateEndsWithoutRandomness(t *testing.T) {
	for _, c := range []constant{0, 64, 255} {
		if password, err := Generate(c, 20); err == nil {
			t.Errorf("%q from a source that always says %d, want an error", password, c)
		}
	}
}

func BenchmarkGenerate(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Generate(crand.Reader, 20); err != nil {
			b.Fatal(err)
		}
	}
}
