package filter

import (
	"fmt"
	"strings"

	"portico/l7/exchange"
	"portico/l7/message"
	"portico/l7/pages"
	"portico/l7/template"
	"portico/spec"
)

// ErrorPages are the parameters of errorPages: bodies for the answers that went
// wrong.
type ErrorPages struct {
	// Pages of which the one for a status is used, else the one for its class.
	Pages []ErrorPage `json:"pages" required:"true"`
	// Targets puts pages in place of what targets answer too.
	Targets bool `json:"targets,omitempty"`
}

// ErrorPage is what goes with some statuses; the client chooses among its kinds
// by Accept. Bodies may have variables.
type ErrorPage struct {
	Statuses []pages.Status `json:"statuses" required:"true"`
	HTML     *PageBody      `json:"html,omitempty"`
	JSON     *PageBody      `json:"json,omitempty"`
	Text     *PageBody      `json:"text,omitempty"`
}

// PageBody is the body of a page; its short form is the text.
type PageBody struct {
	Text string    `json:"text,omitempty" oneof:"body" short:"true"`
	File spec.File `json:"file,omitzero" oneof:"body"` // read when the spec is
}

func (b *PageBody) text() string {
	if b.File.Path != "" {
		return string(b.File.Bytes)
	}
	return b.Text
}

// bodies are the kinds of a page.
func (p *ErrorPage) bodies() [3]*PageBody {
	return [...]*PageBody{pages.HTML: p.HTML, pages.JSON: p.JSON, pages.Text: p.Text}
}

// kindNames are the keys of a page's kinds, and kindForms how variables are escaped there.
var (
	kindNames = [...]string{pages.HTML: "html", pages.JSON: "json", pages.Text: "text"}
	kindForms = [...]template.Form{pages.HTML: template.HTML, pages.JSON: template.JSON, pages.Text: template.Plain}
)

// Check refuses pages that no answer has.
func (p *ErrorPages) Check() []spec.Problem {
	var problems []spec.Problem
	if len(p.Pages) == 0 {
		problems = append(problems, spec.Problem{Path: "pages", What: "no page is listed", Help: "write one such as {statuses: [5xx], text: sorry}"})
	}
	seen := map[pages.Status]int{}
	for i := range p.Pages {
		page, at := &p.Pages[i], spec.At("pages", i)
		some := false
		for kind, b := range page.bodies() {
			if b != nil {
				some = true
				problems = append(problems, checkBody(spec.At(at, kindNames[kind]), b.text(), kindForms[kind])...)
			}
		}
		if !some {
			problems = append(problems, spec.Problem{Path: at, What: "the page has no body", Help: "use html, json or text"})
		}
		for j, s := range page.Statuses {
			if first, ok := seen[s]; ok {
				problems = append(problems, spec.Problemf(spec.At(at, "statuses", j), "%s has a page already, pages[%d]", s, first))
				continue
			}
			seen[s] = i
		}
	}
	return problems
}

type errorPages struct {
	set     pages.Set[text]
	targets bool
}

func newErrorPages(params any) Filter {
	p := params.(*ErrorPages)
	f := &errorPages{targets: p.Targets}
	for i := range p.Pages {
		page := pages.Page[text]{Statuses: p.Pages[i].Statuses}
		for kind, b := range p.Pages[i].bodies() {
			if b != nil {
				t := newText(b.text(), kindForms[kind])
				page.Bodies[kind] = &t
			}
		}
		f.set = append(f.set, page)
	}
	return f
}

func (f *errorPages) Request(*message.Request, Match, *exchange.Decision) {}

var (
	nameVary    = []byte("Vary")
	valueAccept = []byte("Accept")
	pageTypes   = [...][]byte{[]byte(pages.HTML.ContentType()), []byte(pages.JSON.ContentType()), []byte(pages.Text.ContentType())}
	// told are the fields that speak of the body that is replaced.
	told = [...]string{
		"content-type", "content-encoding", "content-language", "content-range", "content-disposition", "content-md5",
		"digest", "content-digest", "repr-digest", "etag", "last-modified", "accept-ranges", "content-location",
	}
)

// Response puts a page in place of a body.
func (f *errorPages) Response(req *message.Request, resp *message.Response, m Match, d *exchange.Decision) {
	if resp.Status < 400 || d.Fixed == nil && !f.targets || isCall(req) {
		return
	}
	body, kind, several := f.set.Choose(resp.Status, req.Fields)
	if body == nil {
		return
	}
	for _, name := range told {
		resp.Fields = message.Del(resp.Fields, name)
	}
	resp.Fields = append(resp.Fields, message.Field{Name: nameType, Value: pageTypes[kind]})
	if several && !message.Varies(resp.Fields, "accept") {
		resp.Fields = append(resp.Fields, message.Field{Name: nameVary, Value: valueAccept})
	}
	v := m.values(req, d, resp.Status)
	page := body.of(&v)
	if d.Fixed != nil {
		d.Fixed.Body = page
		resp.Length = int64(len(page))
		return
	}
	resp.Length = -1 // also of an answer to HEAD, which has no body to replace
	m.Visit.page = pageBody{page}
	d.Transform = &m.Visit.page
}

// isCall reports whether a request is one of gRPC, whose answers are no pages.
func isCall(req *message.Request) bool {
	const grpc = "application/grpc"
	t := message.Get(req.Fields, "content-type")
	return len(t) >= len(grpc) && message.EqualFold(t[:len(grpc)], grpc)
}

// Explain says which answers get a page.
func (f *errorPages) Explain(*message.Request, Match) string {
	var statuses []string
	for _, p := range f.set {
		for _, s := range p.Statuses {
			statuses = append(statuses, s.String())
		}
	}
	whose := "of Portico's own"
	if f.targets {
		whose = "of Portico and of targets"
	}
	return fmt.Sprintf("has pages for %s %s", strings.Join(statuses, ", "), whose)
}

// pageBody sends a page instead of what the target sends.
type pageBody struct{ page []byte }

// Transform drops what the target sends and writes the page when that ends.
func (b *pageBody) Transform(dst []byte, _ [][]byte, last bool) []byte {
	if !last {
		return dst
	}
	return append(dst, b.page...)
}
