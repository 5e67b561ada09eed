package docs

import (
	"bytes"
	"regexp"
	"slices"
	"strings"
	"testing"

	"portico/cli"
)

// TestCommands proves that every portico command in a document has a verb and
// flags that exist: on lines of its own, and in backquotes.
func TestCommands(t *testing.T) {
	shown := 0
	for _, p := range pages(t) {
		for i, line := range p.lines {
			for _, c := range commands(line) {
				shown++
				if what := commandProblem(c); what != "" {
					t.Errorf("%s:%d: %s: %s", p.path, i+1, strings.Join(c, " "), what)
				}
			}
		}
	}
	if shown == 0 {
		t.Error("no document shows a command; are they found?")
	}
}

var commandLine = regexp.MustCompile(`^(?:bin/)?portico [a-z]`)

// commands lists the command lines of a line of Markdown, in words, without the
// program. A word in double quotes may hold spaces.
func commands(line string) [][]string {
	parts := quoted(line)
	if code, ok := strings.CutPrefix(line, "    "); ok {
		parts = []string{code}
	}
	var all [][]string
	for _, code := range parts {
		if !commandLine.MatchString(code) {
			continue
		}
		code, _, _ = strings.Cut(code, " # ")
		words := wordPattern.FindAllString(code, -1)
		all = append(all, words[1:])
	}
	return all
}

var wordPattern = regexp.MustCompile(`"[^"]*"|[^\s"]+`)

// commandProblem says what is wrong with a command line, or nothing.
func commandProblem(words []string) string {
	verb := []string{words[0]}
	if words[0] == "demo" && len(words) > 1 && !strings.HasPrefix(words[1], "-") {
		verb = words[:2]
	}
	known, ok := flagsOf(verb)
	if !ok {
		return "no such verb"
	}
	for _, w := range words[len(verb):] {
		flag, _, _ := strings.Cut(w, "=")
		if strings.HasPrefix(flag, "-") && !slices.Contains(known, flag) {
			return "no flag " + flag + "; there are " + strings.Join(known, " ")
		}
	}
	return ""
}

var flagPattern = regexp.MustCompile(`(?m)^ +(?:(-\w), )? *(--[\w-]+)`)

// flagsOf lists the flags that the help of a verb lists; false when the help is
// not that of the verb.
func flagsOf(verb []string) ([]string, bool) {
	var out, errs bytes.Buffer
	code := cli.Main(append(slices.Clone(verb), "--help"), cli.Streams{In: strings.NewReader(""), Out: &out, Err: &errs}, "test")
	if code != cli.ExitOK || !strings.Contains(out.String(), "portico "+strings.Join(verb, " ")+" ") {
		return nil, false
	}
	var known []string
	for _, m := range flagPattern.FindAllStringSubmatch(out.String(), -1) {
		known = append(known, m[1:]...)
	}
	return slices.DeleteFunc(known, func(f string) bool { return f == "" }), true
}

// TestCommandProblem proves that a wrong verb or flag would be found.
func TestCommandProblem(t *testing.T) {
	tests := []struct{ line, want string }{
		{"    portico status --watch   # each second", ""},
		{"    bin/portico run --listen :8080 --to 127.0.0.1:3000", ""},
		{`    portico explain https://a/ -H "Cookie: --b"`, ""},
		{"say `portico demo kill east` or `portico check -o json a.yaml`", ""},
		{"    portico statsu", "no such verb"},
		{"    portico demo kil east", "no such verb"},
		{"use `portico status --wach`", "no flag --wach"},
		{"    portico status -x", "no flag -x"},
	}
	for _, tt := range tests {
		found := commands(tt.line)
		if len(found) == 0 {
			t.Errorf("%q: no command found", tt.line)
		}
		for _, c := range found {
			if got := commandProblem(c); !strings.HasPrefix(got, tt.want) || (tt.want == "") != (got == "") {
				t.Errorf("%q: problem %q, want %q", tt.line, got, tt.want)
			}
		}
	}
	if found := commands("`portico: v1`, `portico_x` and portico status"); len(found) > 0 {
		t.Errorf("commands found where there are none: %q", found)
	}
}
