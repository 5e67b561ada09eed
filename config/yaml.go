package config

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

const (
	// depthMax bounds nesting; the deepest value of a spec is some fifteen deep.
	depthMax = 64
	// documentsMax bounds the documents of one file: the library's time grows
	// with their square.
	documentsMax = 500
)

// parse reads one source into its documents, or reports why it cannot be read.
func parse(r *Report, source int) []*node {
	src := r.sources[source]
	at := func(line, column, width int, what, help string) {
		r.at(&node{place: place{source, line, column, width}}, "", what, help)
	}
	if len(src.Text) > sourceMax {
		at(1, 1, 0, fmt.Sprintf("the file has %d bytes", len(src.Text)), fmt.Sprintf("use at most %d MiB, or several files", sourceMax>>20))
		return nil
	}
	if line, column, ok := invalidUTF8(src.Text); ok {
		at(line, column, 1, "the file is not UTF-8 text from here on", "save it as UTF-8")
		return nil
	}
	if documents, ok := parseJSON(src.Text, source); ok {
		return documents
	}
	// The library counts lines that end in CR LF twice where they are comments.
	lines := strings.ReplaceAll(strings.TrimPrefix(string(src.Text), "\ufeff"), "\r\n", "\n")
	tokens := glue(lexer.Tokenize(lines))
	if refusals := refuse(tokens); len(refusals) > 0 {
		for _, x := range refusals {
			at(x.line, x.column, x.width, x.what, x.help)
		}
		return nil
	}
	file, err := parseTokens(tokens)
	if err != nil {
		line, column, what, help := syntaxError(err)
		at(line, column, 1, what, help)
		return nil
	}
	var documents []*node
	for _, d := range file.Docs {
		if d.Body != nil {
			documents = append(documents, converter{source}.node(d.Body))
		}
	}
	return documents
}

// parseTokens turns a panic of the library into an error: what it cannot read
// must not stop the process.
func parseTokens(tokens token.Tokens) (file *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("this cannot be read as YAML: %v", p)
		}
	}()
	return parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
}

// syntaxError says what is wrong with a text that is no YAML, in the library's
// words where they are good enough.
func syntaxError(err error) (line, column int, what, help string) {
	line, column = 1, 1
	what, _, _ = strings.Cut(err.Error(), "\n")
	var e yaml.Error
	if errors.As(err, &e) && e.GetToken() != nil && e.GetToken().Position != nil {
		p := e.GetToken().Position
		line, column, what = p.Line, max(p.Column, 1), e.GetMessage()
	}
	switch {
	case strings.Contains(what, "'\t'"):
		what, help = "a tab stands where spaces belong", "indent with spaces"
	case strings.Contains(what, "not allowed in this context"), strings.Contains(what, "non-map value"):
		help = "look at the indentation of this line and of those around it"
	}
	return line, column, what, help
}

func invalidUTF8(text []byte) (line, column int, found bool) {
	if utf8.Valid(text) {
		return 0, 0, false
	}
	line, column = 1, 1
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		if r == utf8.RuneError && n == 1 {
			break
		}
		column++
		if r == '\n' {
			line, column = line+1, 1
		}
		text = text[n:]
	}
	return line, column, true
}

// converter makes nodes of the library's tree.
type converter struct{ source int }

func (c converter) node(from ast.Node) *node {
	switch from := from.(type) {
	case *ast.MappingNode:
		n := &node{kind: mapping, place: c.place(from.GetToken())}
		for _, v := range from.Values {
			n.entries = append(n.entries, c.entry(v))
		}
		if len(n.entries) > 0 && !from.IsFlowStyle {
			n.place = n.entries[0].key.place
		}
		return n
	case *ast.MappingValueNode:
		e := c.entry(from)
		return &node{kind: mapping, entries: []entry{e}, place: e.key.place}
	case *ast.SequenceNode:
		n := &node{kind: list, place: c.place(from.GetToken())}
		for _, v := range from.Values {
			n.items = append(n.items, c.node(v))
		}
		return n
	}
	return c.scalar(from)
}

func (c converter) entry(v *ast.MappingValueNode) entry {
	e := entry{key: c.scalar(v.Key), value: c.node(v.Value)}
	if e.value.kind == null {
		e.value.place = e.key.place // of nothing, only the key can be shown
	}
	return e
}

func (c converter) scalar(from ast.Node) *node {
	if from == nil {
		return &node{kind: null}
	}
	tk := from.GetToken()
	n := &node{kind: text, text: tk.Value, place: c.place(tk)}
	switch from := from.(type) {
	case *ast.NullNode:
		n.kind = null
	case *ast.BoolNode:
		n.kind = boolean
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		n.kind = number
	case *ast.LiteralNode:
		n.text = from.Value.Value
		n.place.width = 1
	case *ast.StringNode:
		n.text = from.Value
		if tk.Type == token.StringType && wholeNumber.MatchString(n.text) {
			n.kind = number // too large for the library, which then calls it text
		}
	}
	return n
}

// place is where a token starts, and how much of its line it takes.
func (c converter) place(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{source: c.source, line: 1, column: 1}
	}
	written, _, _ := strings.Cut(strings.TrimSpace(tk.Origin), "\n")
	return place{c.source, tk.Position.Line, max(tk.Position.Column, 1), max(utf8.RuneCountInString(strings.TrimSpace(written)), 1)}
}
