package spec

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"
)

// The bounds of a regular expression. Matching costs its steps times the length
// of the value at most, which is that of a request's head.
const (
	regexMax      = 1024 // bytes
	regexStepsMax = 500  // instructions; a UUID has 40
)

// CompileRegex compiles a regular expression of a spec, which must match the
// whole value. The syntax is RE2: what Perl has without looking around and back,
// so that no value can make a match slow. Errors read "what; help".
func CompileRegex(pattern string) (*regexp.Regexp, error) {
	if pattern == "" {
		return nil, errors.New("the regular expression is empty; write one such as [0-9]+")
	}
	if len(pattern) > regexMax {
		return nil, fmt.Errorf("the regular expression has %d bytes; at most %d are allowed", len(pattern), regexMax)
	}
	// On its own first: a)(b is none, but would be one in the brackets below.
	if _, err := syntax.Parse(pattern, syntax.Perl); err != nil {
		return nil, regexError(pattern, err)
	}
	whole := `\A(?:` + pattern + `)\z`
	tree, err := syntax.Parse(whole, syntax.Perl)
	if err != nil {
		return nil, regexError(pattern, err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, regexError(pattern, err)
	}
	if n := len(prog.Inst); n > regexStepsMax {
		return nil, fmt.Errorf("%q is %d steps long; at most %d are allowed: use smaller numbers in {}", pattern, n, regexStepsMax)
	}
	return regexp.Compile(whole)
}

func regexError(pattern string, err error) error {
	e, ok := errors.AsType[*syntax.Error](err)
	if !ok {
		return fmt.Errorf("%q is not a regular expression", pattern)
	}
	if e.Code == syntax.ErrInvalidPerlOp {
		return fmt.Errorf("%q has %s, which is not supported; the syntax is RE2, without looking ahead or behind", pattern, e.Expr)
	}
	return fmt.Errorf("%q is not a regular expression: %s in %q; the syntax is RE2", pattern, e.Code, e.Expr)
}

// RegexLiteral returns the text that whatever a regular expression matches begins
// with; "" when there is none, or when it is no regular expression.
func RegexLiteral(pattern string) string {
	tree, err := syntax.Parse(pattern, syntax.Perl)
	if err != nil {
		return ""
	}
	var b strings.Builder
	literal(tree, &b)
	return b.String()
}

// literal writes what a match begins with, and reports whether that is all of it.
func literal(re *syntax.Regexp, b *strings.Builder) bool {
	switch re.Op {
	case syntax.OpEmptyMatch, syntax.OpBeginText, syntax.OpEndText:
		return true
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return false
		}
		b.WriteString(string(re.Rune))
		return true
	case syntax.OpCapture:
		return literal(re.Sub[0], b)
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !literal(sub, b) {
				return false
			}
		}
		return true
	default:
		return false
	}
}
