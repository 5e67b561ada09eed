package config

import (
	"fmt"

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
		found = append(found, refusal{tk.Position.Line, max(tk.Position.Column, 1), max(len([]rune(tk.Value)), 1), what, help})
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
	flow    int
	columns []int
	// line is where the last key of block style stood: a line has only one.
	line int
}

func (d *depth) over() bool { return d.flow+len(d.columns) > depthMax }

func (d *depth) step(tk *token.Token) (what, help string) {
	switch tk.Type {
	case token.SequenceStartType, token.MappingStartType:
		d.flow++
	case token.SequenceEndType, token.MappingEndType:
		d.flow = max(d.flow-1, 0)
	case token.SequenceEntryType:
		d.column(tk.Position.Column)
	case token.MappingValueType:
		if d.flow > 0 {
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
	if d.flow > 0 {
		return
	}
	for len(d.columns) > 0 && d.columns[len(d.columns)-1] >= c {
		d.columns = d.columns[:len(d.columns)-1]
	}
	d.columns = append(d.columns, c)
}
