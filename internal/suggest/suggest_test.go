package suggest_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/internal/suggest"
)

var algorithms = []string{"round-robin", "least-conn", "random-two", "maglev"}

// What people mistype is found; what merely looks a little alike is not.
func TestNearest(t *testing.T) {
	for _, c := range []struct {
		name, word string
		known      []string
		want       string
	}{
		{"a letter left out", "least-con", algorithms, "least-conn"},
		{"a letter too many", "magglev", algorithms, "maglev"},
		{"a wrong letter", "maglef", algorithms, "maglev"},
		{"two letters swapped", "wbe", []string{"web", "api"}, "web"},
		{"another case", "Least-Conn", algorithms, "least-conn"},
		{"another mark", "round_robin", algorithms, "round-robin"},
		{"no mark", "roundrobin", algorithms, "round-robin"},
		{"the word itself", "maglev", algorithms, "maglev"},
		{"the nearest wins", "cat", []string{"cart", "cat"}, "cat"},
		{"the first of equals wins", "bat", []string{"cat", "hat"}, "cat"},
		{"too far", "ring-hash", algorithms, ""},
		{"short words are not near", "udp", []string{"http", "https", "tcp"}, ""},
		{"one letter is near nothing", "a", []string{"b"}, ""},
		{"nothing known", "web", nil, ""},
		{"no word", "", algorithms, ""},
		{"letters of any alphabet", "größe", []string{"große"}, "große"},
		{"endless words", strings.Repeat("a", 1<<20), []string{strings.Repeat("a", 1<<20)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := suggest.Nearest(c.word, c.known); got != c.want {
				t.Errorf("Nearest(%.20q) = %.20q, want %q", c.word, got, c.want)
			}
		})
	}
}

// Help names the nearest word, or else all of them, and cuts what is too long.
func TestHelp(t *testing.T) {
	many := strings.Split("one two three four five six seven eight nine ten", " ")
	for _, c := range []struct {
		name, word string
		known      []string
		help       string
		defined    string
	}{
		{"near", "least-con", algorithms, `did you mean "least-conn"?`, `did you mean "least-conn"?`},
		{"far", "x", []string{"a1", "b1"}, `use one of "a1", "b1"`, `defined here: "a1", "b1"`},
		{"one", "x", []string{"v1"}, `use "v1"`, `defined here: "v1"`},
		{"none", "x", nil, "", "none is defined here"},
		{
			"many", "x", many, `use one of "one", "two", "three", "four", "five", "six", "seven", "eight" … and 2 more`,
			`defined here: "one", "two", "three", "four", "five", "six", "seven", "eight" … and 2 more`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := suggest.Help(c.word, c.known); got != c.help {
				t.Errorf("Help = %s, want %s", got, c.help)
			}
			if got := suggest.Defined(c.word, c.known); got != c.defined {
				t.Errorf("Defined = %s, want %s", got, c.defined)
			}
		})
	}
}

// A list is never cut to save a single word.
func TestListOfNine(t *testing.T) {
	got := suggest.List(strings.Split("abcdefghi", ""))
	if want := `"a", "b", "c", "d", "e", "f", "g", "h", "i"`; got != want {
		t.Errorf("List = %s, want %s", got, want)
	}
}

// Slips is a distance: the same both ways, zero for the word itself, and never
// more than the longer word has letters.
func TestSlipsIsADistance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := rapid.StringMatching(`[a-z]{0,12}`).Draw(t, "a")
		b := rapid.StringMatching(`[a-z]{0,12}`).Draw(t, "b")
		there, back := suggest.Slips(a, b), suggest.Slips(b, a)
		if there != back {
			t.Errorf("Slips(%q, %q) = %d, but %d the other way", a, b, there, back)
		}
		if there > max(len(a), len(b)) || (there == 0) != (a == b) {
			t.Errorf("Slips(%q, %q) = %d", a, b, there)
		}
	})
}

func FuzzNearest(f *testing.F) {
	f.Add("least-con", "least-conn")
	f.Add("\xff\xfe", "é")
	f.Fuzz(func(t *testing.T, word, known string) {
		if got := suggest.Nearest(word, []string{known}); got != "" && got != known {
			t.Errorf("Nearest(%q) = %q, which is not known", word, got)
		}
	})
}
