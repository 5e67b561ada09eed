package template_test

import (
	"encoding/json"
	"html"
	"net/netip"
	"strings"
	"testing"

	"portico/l7/exchange"
	"portico/l7/http1"
	"portico/l7/message"
	"portico/l7/template"
)

func values() *template.Values {
	return &template.Values{
		Request: &message.Request{
			Method: []byte("GET"), Host: []byte("shop.test"), Path: []byte("/a/b"), Query: []byte("q=a%20b&q=c&n=%0d%0aX:y&h=<b>'\"&\\"),
			Client: netip.MustParseAddrPort("[::ffff:203.0.113.7]:4711"),
			Fields: []message.Field{
				{Name: []byte("X-A"), Value: []byte("one")},
				{Name: []byte("x-a"), Value: []byte("two")},
				{Name: []byte("Cookie"), Value: []byte("uid=42; b=\"c\"")},
			},
		},
		Decision: &exchange.Decision{Client: &message.Client{TLS: true, Version: 0x304, ServerName: "shop.test"}, Route: "shop", Group: "web"},
		ID:       []byte("id-1"), HTTPS: true, Status: 404,
	}
}

// Every variable is what it says, and whatever is not there is empty.
func TestVariables(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "",
		"plain $ text $1 }":               "plain $ text $1 }",
		"${client.ip}:${client.port}":     "203.0.113.7:4711",
		"${method} ${scheme}://${host}":   "GET https://shop.test",
		"${path}?${query.q}":              "/a/b?a b",
		"${query}":                        `q=a%20b&q=c&n=%0d%0aX:y&h=<b>'"&\`,
		"<${request.id}>":                 "<id-1>",
		"${tls.version} ${tls.name}":      "TLS 1.3 shop.test",
		"${status} ${status.text}":        "404 Not Found",
		"${route} ${group} (${target})":   "shop web ()",
		"${header.X-A}|${header.missing}": "one|",
		"${cookie.uid}|${cookie.b}":       "42|c",
		"${query.none}${cookie.none}":     "",
		"$${path} $$${path}":              "${path} $${path}",
		"$$ ${path}$":                     "$$ /a/b$",
		"${query.n}":                      "%0D%0AX:y",
	} {
		tpl, err := template.Parse(text, template.Plain)
		if err != nil {
			t.Errorf("Parse(%q): %v", text, err)
			continue
		}
		if got := string(tpl.Append([]byte("> "), values())); got != "> "+want {
			t.Errorf("%q is %q, want %q", text, got, want)
		}
	}
}

// Without a request's parts, nothing is written and nothing breaks.
func TestVariablesOfNothing(t *testing.T) {
	for _, name := range template.Names() {
		tpl, err := template.Parse("${"+name+"}", template.Plain)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(tpl.Append(nil, &template.Values{Request: &message.Request{}})); got != "" && got != "http" {
			t.Errorf("${%s} of nothing is %q", name, got)
		}
	}
}

// What is no variable is refused, with what was probably meant.
func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"${clint.ip}":  `unknown variable "clint.ip"; did you mean "client.ip"?`,
		"a ${path":     `"${path" is not closed; write "}" after the name, or $${ for the characters ${ alone`,
		"${}":          `unknown variable ""; use one of `,
		"${header.}":   `unknown variable "header."; `,
		"${ path }":    `unknown variable " path "; did you mean "path"?`,
		"${headers.x}": `unknown variable "headers.x"; `,
	} {
		_, err := template.Parse(text, template.Plain)
		if err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("Parse(%q) = %v, want %s", text, err, want)
		}
	}
}

// Values are escaped by what they are written into; the text of the spec is not.
func TestForms(t *testing.T) {
	for _, tt := range []struct {
		form template.Form
		want string
	}{
		{template.Plain, `<p>"<b>'"` + "\\"},
		{template.HTML, `<p>"&lt;b&gt;&#39;&#34;` + "\\"},
		{template.JSON, `<p>"\u003Cb>'\"\\`},
	} {
		tpl, err := template.Parse(`<p>"${query.h}${query.h2}`, tt.form)
		if err != nil {
			t.Fatal(err)
		}
		v := values()
		v.Request.Query = []byte("h=<b>'%22&h2=%5c")
		if got := string(tpl.Append(nil, v)); got != tt.want {
			t.Errorf("form %d: %s, want %s", tt.form, got, tt.want)
		}
	}
}

// A template without variables is its text.
func TestConstant(t *testing.T) {
	for text, want := range map[string]bool{"": true, "a": true, "$${a}": true, "${path}": false, "a${path}": false} {
		tpl, err := template.Parse(text, template.Plain)
		if err != nil {
			t.Fatal(err)
		}
		got, ok := tpl.Constant()
		if ok != want || ok && got != string(tpl.Append(nil, values())) {
			t.Errorf("%q: Constant = %q, %v", text, got, ok)
		}
	}
}

// A variable cannot make a head too large.
func TestLongValues(t *testing.T) {
	tpl, err := template.Parse("${path}", template.Plain)
	if err != nil {
		t.Fatal(err)
	}
	v := values()
	v.Request.Path = []byte(strings.Repeat("x", 1<<20))
	if n := len(tpl.Append(nil, v)); n != 4096 {
		t.Errorf("a long path is %d bytes", n)
	}
}

// Writing allocates nothing once memory has grown.
func TestAppendAllocates(t *testing.T) {
	for _, form := range []template.Form{template.Plain, template.HTML, template.JSON} {
		var text strings.Builder
		for _, name := range template.Names() {
			text.WriteString("${" + name + "}")
		}
		text.WriteString("${query.n}${query.h}${header.x-a}${cookie.uid}")
		tpl, err := template.Parse(text.String(), form)
		if err != nil {
			t.Fatal(err)
		}
		v, dst := values(), make([]byte, 0, 4096)
		if n := testing.AllocsPerRun(100, func() { dst = tpl.Append(dst[:0], v) }); n != 0 {
			t.Errorf("form %d: writing allocates %v times", form, n)
		}
	}
}

// FuzzAppend proves that no bytes of a client leave the line, the element or the
// string they are written into, and that a reader gets them back.
func FuzzAppend(f *testing.F) {
	f.Add([]byte("a\r\nSet-Cookie: b"))
	f.Add([]byte("</script><script>alert(1)//"))
	f.Add([]byte(`","admin":true,"x":"`))
	f.Add([]byte("\xff\x00\x7f\\"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if len(value) > 1024 {
			return
		}
		write := func(form template.Form) []byte {
			tpl, err := template.Parse("${path}", form)
			if err != nil {
				t.Fatal(err)
			}
			return tpl.Append(nil, &template.Values{Request: &message.Request{Path: value}})
		}
		if got := write(template.Plain); !http1.ValidValue(got) {
			t.Fatalf("%q is written into a header as %q", value, got)
		}
		got := write(template.HTML)
		if strings.ContainsAny(string(got), `<>"'`) {
			t.Fatalf("%q is written into HTML as %q", value, got)
		}
		clean := strings.IndexFunc(string(value), func(r rune) bool { return r < ' ' || r == 0x7f }) < 0
		if clean && html.UnescapeString(string(got)) != string(value) {
			t.Fatalf("%q is written into HTML as %q, which reads %q", value, got, html.UnescapeString(string(got)))
		}
		var read struct{ A, B string }
		document := append(append([]byte(`{"a":"`), write(template.JSON)...), `","b":"end"}`...)
		if err := json.Unmarshal(document, &read); err != nil || read.B != "end" {
			t.Fatalf("%q is written into JSON as %s: %v", value, document, err)
		}
		if valid := strings.ToValidUTF8(string(value), "") == string(value); valid && read.A != string(value) {
			t.Fatalf("%q reads %q from JSON", value, read.A)
		}
	})
}
