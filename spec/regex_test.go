package spec_test

import (
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"portico/spec"
)

// A regular expression matches the whole value, or is refused with a reason.
func TestCompileRegex(t *testing.T) {
	tests := []struct {
		name, pattern, value string
		holds                bool
		problem              string
	}{
		{"a part is not the whole", "b", "abc", false, ""},
		{"the whole", "a|abc", "abc", true, ""},
		{"anchors of its own", "^/a$", "/a", true, ""},
		{"a last newline is a character", "a", "a\n", false, ""},
		{"lines do not matter", "(?m)^a$", "b\na", false, ""},
		{"flags", "(?i)abc", "aBc", true, ""},
		{"empty", "", "", false, "the regular expression is empty; write one such as [0-9]+"},
		{"unbalanced", "(a", "", false, "\"(a\" is not a regular expression: missing closing ) in \"(a\"; the syntax is RE2"},
		{"balanced by what we add", "a)(b", "", false, "\"a)(b\" is not a regular expression: unexpected ) in \"a)(b\"; the syntax is RE2"},
		{"looking ahead", "a(?=b)", "", false, "\"a(?=b)\" has (?=, which is not supported; the syntax is RE2, without looking ahead or behind"},
		{"long", strings.Repeat("a", 1025), "", false, "the regular expression has 1025 bytes; at most 1024 are allowed"},
		{"complex", "(a{30}){30}", "", false, "\"(a{30}){30}\" is 964 steps long; at most 500 are allowed: use smaller numbers in {}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			re, err := spec.CompileRegex(tt.pattern)
			if err != nil {
				if err.Error() != tt.problem {
					t.Errorf("CompileRegex(%q): %v, want %s", tt.pattern, err, tt.problem)
				}
				return
			}
			if got := re.MatchString(tt.value); tt.problem != "" || got != tt.holds {
				t.Errorf("CompileRegex(%q) on %q = %v, want %v %s", tt.pattern, tt.value, got, tt.holds, tt.problem)
			}
		})
	}
}

// RegexLiteral finds what every match begins with, and no more.
func TestRegexLiteral(t *testing.T) {
	for pattern, want := range map[string]string{
		"/api/v[0-9]+":   "/api/v",
		"^/api/.*":       "/api/",
		"/a(/b(c))?":     "/a",
		"/a(/b(c))d+":    "/a/bc",
		"/users|/groups": "/",
		"(?i)/api":       "",
		"/a\\.b":         "/a.b",
		"/ab*":           "/a",
		".*":             "",
		"(":              "",
	} {
		if got := spec.RegexLiteral(pattern); got != want {
			t.Errorf("RegexLiteral(%q) = %q, want %q", pattern, got, want)
		}
	}
}

// Whatever a pattern of the usual parts matches begins with its literal.
func TestRegexLiteralHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		part := rapid.SampledFrom([]string{"/", "a", "ab", "b*", "(a|b)", "[ab]", "(/a)?", "(?i:a)", "$", "^", "b{2}", "."})
		pattern := strings.Join(rapid.SliceOfN(part, 1, 6).Draw(t, "parts"), "")
		re, err := spec.CompileRegex(pattern)
		if err != nil {
			t.Skip(err)
		}
		value := rapid.StringOfN(rapid.RuneFrom([]rune("/abAB")), 0, 8, -1).Draw(t, "value")
		if lit := spec.RegexLiteral(pattern); re.MatchString(value) && !strings.HasPrefix(value, lit) {
			t.Fatalf("%q matches %q, which does not begin with %q", pattern, value, lit)
		}
		plain, err := regexp.Compile("^(?:" + pattern + ")$")
		if err != nil || plain.MatchString(value) != re.MatchString(value) {
			t.Fatalf("%q on %q differs from its anchored form", pattern, value)
		}
	})
}
