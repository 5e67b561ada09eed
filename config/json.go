package config

import (
	"bytes"
	"encoding/json"
	"sort"
	"unicode/utf8"
)

// parseJSON reads one JSON object. It leaves everything else, JSON with a
// mistake in it included, to the YAML reader, which knows where the mistake is.
func parseJSON(source []byte, index int) ([]*node, bool) {
	start := bytes.TrimLeft(source, " \t\r\n")
	if len(start) == 0 || start[0] != '{' || !json.Valid(source) || nested(source) > depthMax {
		return nil, false
	}
	p := &jsonParser{source: source, index: index, tokens: json.NewDecoder(bytes.NewReader(source))}
	p.tokens.UseNumber()
	for i, b := range source {
		if b == '\n' {
			p.lines = append(p.lines, i+1)
		}
	}
	return []*node{p.value()}, true
}

// nested is how deep brackets are nested in valid JSON.
func nested(source []byte) int {
	deepest, depth, quoted := 0, 0, false
	for i := 0; i < len(source); i++ {
		switch b := source[i]; {
		case b == '"':
			quoted = !quoted
		case quoted && b == '\\':
			i++
		case quoted:
		case b == '{' || b == '[':
			depth++
			deepest = max(deepest, depth)
		case b == '}' || b == ']':
			depth--
		}
	}
	return deepest
}

// jsonParser makes nodes of a valid text.
type jsonParser struct {
	source []byte
	index  int
	lines  []int // where each line but the first starts
	tokens *json.Decoder
}

func (p *jsonParser) value() *node {
	from := int(p.tokens.InputOffset())
	for from < len(p.source) && bytes.IndexByte([]byte(" \t\r\n,:"), p.source[from]) >= 0 {
		from++
	}
	token, err := p.tokens.Token()
	if err != nil {
		return &node{kind: null} // unreachable: the text was found valid
	}
	n := &node{place: p.place(from, int(p.tokens.InputOffset()))}
	switch token := token.(type) {
	case json.Delim:
		if token == '[' {
			n.kind = list
			for p.tokens.More() {
				n.items = append(n.items, p.value())
			}
		} else {
			n.kind = mapping
			for p.tokens.More() {
				key := p.value()
				n.entries = append(n.entries, entry{key, p.value()})
			}
		}
		_, _ = p.tokens.Token() // the closing bracket, in a text found valid
	case string:
		n.kind, n.text = text, token
	case json.Number:
		n.kind, n.text = number, token.String()
	case bool:
		n.kind, n.text = boolean, string(p.source[from:p.tokens.InputOffset()])
	}
	return n
}

func (p *jsonParser) place(from, to int) place {
	line := sort.SearchInts(p.lines, from+1)
	start := 0
	if line > 0 {
		start = p.lines[line-1]
	}
	return place{
		source: p.index,
		line:   line + 1,
		column: utf8.RuneCount(p.source[start:from]) + 1,
		width:  utf8.RuneCount(p.source[from:to]),
	}
}
