package config

import (
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// glue puts texts together again that hold a colon, such as 10.0.0.1:80, which
// the library cuts in a list that is in a mapping, both in brackets: a colon
// without a space after it separates nothing (YAML 1.2, section 7.3.3).
func glue(tokens token.Tokens) token.Tokens {
	var out token.Tokens
	var open []token.Type // the brackets that stand around
	cut := false
	for i := 0; i < len(tokens); i++ {
		tk := tokens[i]
		switch tk.Type {
		case token.SequenceStartType, token.MappingStartType:
			open = append(open, tk.Type)
		case token.SequenceEndType, token.MappingEndType:
			open = open[:max(len(open)-1, 0)]
		default:
		}
		inList := len(open) > 0 && open[len(open)-1] == token.SequenceStartType
		if !inList || tk.Type != token.MappingValueType || i+1 == len(tokens) || !touch(tk, tokens[i+1]) || !isPlain(tokens[i+1]) {
			out = append(out, tk)
			continue
		}
		cut = true
		text, at := ":"+tokens[i+1].Value, tk.Position
		if n := len(out); n > 0 && isPlain(out[n-1]) && touch(out[n-1], tk) {
			text, at = out[n-1].Value+text, out[n-1].Position
			out = out[:n-1]
		}
		out = append(out, token.New(text, text, at))
		i++
	}
	if cut {
		link(out)
	}
	return out
}

// link makes tokens neighbors.
func link(tokens token.Tokens) {
	for i, tk := range tokens {
		tk.Prev, tk.Next = nil, nil
		if i > 0 {
			tk.Prev, tokens[i-1].Next = tokens[i-1], tk
		}
	}
}

// isTight reports whether a token is a colon with text on both its sides and no
// space after it, which the library takes for a key and a value, and others do not.
func isTight(tk *token.Token) bool {
	return tk.Type == token.MappingValueType && tk.Prev != nil && tk.Next != nil &&
		isPlain(tk.Prev) && isPlain(tk.Next) && touch(tk, tk.Next)
}

// isPlain reports whether a token is text without quotes.
func isPlain(tk *token.Token) bool {
	switch tk.Type {
	case token.StringType, token.IntegerType, token.FloatType, token.BinaryIntegerType, token.OctetIntegerType,
		token.HexIntegerType, token.BoolType, token.NullType, token.InfinityType, token.NanType:
		return tk.Value != ""
	default:
		return false
	}
}

// touch reports whether b begins where a ends.
func touch(a, b *token.Token) bool {
	return a.Position != nil && b.Position != nil && a.Position.Line == b.Position.Line &&
		a.Position.Column+utf8.RuneCountInString(a.Value) == b.Position.Column
}
