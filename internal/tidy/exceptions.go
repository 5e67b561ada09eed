package tidy

import (
	"slices"
	"strings"
)

// exceptionsPath is where findings about the exceptions themselves point.
const exceptionsPath = "internal/tidy/exceptions.txt"

// exception is one line: path, rule, reason.
type exception struct {
	line       int
	path, rule string
	used       bool
}

// except removes the findings that an exception covers, and adds one for each
// exception that is malformed or covers nothing.
func except(found []Finding, text string) []Finding {
	exceptions, problems := parseExceptions(text)
	kept := slices.DeleteFunc(found, func(f Finding) bool {
		for i := range exceptions {
			if e := &exceptions[i]; e.path == f.Path && e.rule == f.Rule {
				e.used = true
				return true
			}
		}
		return false
	})
	for _, e := range exceptions {
		if !e.used {
			problems = append(problems, findingf(exceptionsPath, e.line, "nothing needs the exception of %s from %q any more; remove the line", e.path, e.rule))
		}
	}
	for i := range problems {
		problems[i].Rule = "exceptions"
	}
	return append(kept, problems...)
}

func parseExceptions(text string) ([]exception, []Finding) {
	var exceptions []exception
	var problems []Finding
	n := 0
	for line := range strings.Lines(text) {
		n++
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		fields := strings.Fields(line)
		if len(fields) < 3 {
			problems = append(problems, findingf(exceptionsPath, n, "%q is not a path, a rule and a reason", line))
			continue
		}
		e := exception{line: n, path: fields[0], rule: fields[1]}
		if !slices.ContainsFunc(Rules(), func(r Rule) bool { return r.Name == e.rule }) {
			problems = append(problems, findingf(exceptionsPath, n, "no rule is named %q", e.rule))
			continue
		}
		exceptions = append(exceptions, e)
	}
	return exceptions, problems
}
