package config

import (
	"fmt"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// refusal is one thing that is YAML, but not accepted in a spec.
type refusal struct {
	line, column, width int
	what, help          string
}

// refusalsMax bounds what is said of one file that is not a spec at all.
const refusalsMax = 20

// refuse finds what no spec needs and a reader can be hurt by: references that
// multiply the document, tags, keys that are no words, and nesting without end.
// It looks at tokens, before the library builds anything of them.
func refuse(tokens token.Tokens) []refusal {
	var found []refusal
	d := depth{}
	documents := 1
	for _, tk := range tokens {
		if tk.Position == nil {
			continue
		}
		what, help := refusedToken(tk)
		if tk.Type == token.DocumentHeaderType {
			documents++
			d = depth{}
		}
		if what == "" {
			what, help = d.step(tk)
		}
		if what == "" && isTight(tk) {
			what, help = `no space after ":"`, fmt.Sprintf("write %s: %s, or quote the text", tk.Prev.Value, tk.Next.Value)
		}
		if documents > documentsMax {
			what, help = fmt.Sprintf("more than %d documents", documentsMax), "use several files"
		}
		if what == "" {
			continue
		}
		at := tk
		if tk.Type == token.MappingValueType && len(d.flow) > 0 && tk.Prev != nil && tk.Prev.Position != nil {
			at = tk.Prev // the key says more than its colon
		}
		found = append(found, refusal{at.Position.Line, max(at.Position.Column, 1), max(utf8.RuneCountInString(at.Value), 1), what, help})
		if len(found) == refusalsMax || d.over() || documents > documentsMax {
			break
		}
	}
	return found
}

func refusedToken(tk *token.Token) (what, help string) {
	switch tk.Type {
	case token.AliasType:
		if tk.Next != nil && len(tk.Next.Value) > 0 && tk.Next.Value[0] == '.' {
			return "a plain * starts a YAML alias", fmt.Sprintf("write %q, with the quotes", "*"+tk.Next.Value)
		}
		return "YAML aliases are not used in a spec", "write the value out, or quote it if it is text that starts with *"
	case token.AnchorType:
		return "YAML anchors are not used in a spec", "write the value out, or quote it if it is text that starts with &"
	case token.MergeKeyType:
		return "YAML merge keys are not used in a spec", "write the keys out"
	case token.TagType:
		return "YAML tags are not used in a spec", "leave it out, or quote the value if it is text that starts with !"
	case token.DirectiveType:
		return "YAML directives are not used in a spec", "leave it out"
	case token.MappingKeyType:
		return `"?" keys are not used in a spec`, "write key: value"
	default:
		return "", ""
	}
}

// depth follows how deep tokens are nested: in brackets, and in block style by
// the columns that structure stands at.
type depth struct {
	// flow has one element for each bracket that is open: whether it holds a key
	// since its last comma.
	flow    []bool
	columns []int
	// line is where the last key of block style stood: a line has only one.
	line int
}

func (d *depth) over() bool { return len(d.flow)+len(d.columns) > depthMax }

func (d *depth) step(tk *token.Token) (what, help string) {
	switch tk.Type {
	case token.SequenceStartType, token.MappingStartType:
		d.flow = append(d.flow, false)
	case token.SequenceEndType, token.MappingEndType:
		d.flow = d.flow[:max(len(d.flow)-1, 0)]
	case token.CollectEntryType:
		if n := len(d.flow); n > 0 {
			d.flow[n-1] = false
		}
	case token.SequenceEntryType:
		d.column(tk.Position.Column)
	case token.MappingValueType:
		if n := len(d.flow); n > 0 {
			if d.flow[n-1] {
				return "a second key without a comma before it", `write a comma, or quote a text that has ": " in it`
			}
			d.flow[n-1] = true
			return "", ""
		}
		if tk.Position.Line == d.line {
			return `a second ": " on one line`, "quote the value, or begin a new line"
		}
		d.line = tk.Position.Line
		if tk.Prev != nil && tk.Prev.Position != nil {
			d.column(tk.Prev.Position.Column)
		}
	default:
		return "", ""
	}
	if d.over() {
		return fmt.Sprintf("nested more than %d deep", depthMax), "nothing in a spec is"
	}
	return "", ""
}

// column says that structure stands at a column of block style.
func (d *depth) column(c int) {
	if len(d.flow) > 0 {
		return
	}
	for len(d.columns) > 0 && d.columns[len(d.columns)-1] >= c {
		d.columns = d.columns[:len(d.columns)-1]
	}
	d.columns = append(d.columns, c)
}
