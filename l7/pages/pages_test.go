package pages_test

import (
	"strings"
	"testing"

	"portico/l7/message"
	"portico/l7/pages"
)

func accept(lines ...string) []message.Field {
	fields := []message.Field{{Name: []byte("X"), Value: []byte("text/html")}}
	for _, l := range lines {
		fields = append(fields, message.Field{Name: []byte("Accept"), Value: []byte(l)})
	}
	return fields
}

// whole offers every kind, each as its own name.
func whole(statuses ...pages.Status) pages.Page[string] {
	names := [...]string{"html", "json", "text"}
	return pages.Page[string]{Statuses: statuses, Bodies: [3]*string{&names[0], &names[1], &names[2]}}
}

// The client gets what it would rather read.
func TestAccept(t *testing.T) {
	all := pages.Set[string]{whole(pages.Status{Low: 400, High: 599})}
	for _, tt := range []struct{ accept, want string }{
		{"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "html"},
		{"application/json", "json"},
		{"application/json, text/plain, */*", "json"},
		{"text/plain", "text"},
		{"*/*", "text"},
		{"", "text"},
		{"text/*", "html"},
		{"text/*;q=0.5, application/json;q=0.4", "html"},
		{"text/html;q=0.5, application/json;q=0.6", "json"},
		{"text/html;q=0, */*", "text"},
		{"application/*", "json"},
		{"image/png", "text"},
		{"TEXT/HTML", "html"},
		{"text/html;level=1;q=0.1, application/json;Q=0.2", "json"},
		{"text/html;q=1.5", "html"},
		{"text/html;q=x, application/json;q=0.001", "json"},
		{"text/plain;q=0.9, text/html;q=0.9", "html"},
		{";;;,,,/,*,a/b/c", "text"},
	} {
		body, _, several := all.Choose(404, accept(tt.accept))
		if body == nil || *body != tt.want || !several {
			t.Errorf("Accept: %q gets %v, want %s", tt.accept, body, tt.want)
		}
	}
	if body, _, _ := all.Choose(404, accept("text/plain;q=0.1", "application/json")); *body != "json" {
		t.Errorf("two lines get %s", *body)
	}
	if body, _, _ := all.Choose(404, nil); *body != "text" {
		t.Errorf("no line gets %s", *body)
	}
}

// A page for one status goes before one for its class; what no page is for has none.
func TestChoose(t *testing.T) {
	page := func(text string, s ...string) pages.Page[string] {
		p := pages.Page[string]{Bodies: [3]*string{pages.JSON: &text}}
		for _, x := range s {
			var st pages.Status
			if err := st.UnmarshalText([]byte(x)); err != nil {
				t.Fatal(err)
			}
			p.Statuses = append(p.Statuses, st)
		}
		return p
	}
	set := pages.Set[string]{page("class", "5xx"), page("one", "503", "404"), page("late", "5xx", "503")}
	for status, want := range map[int]string{500: "class", 503: "one", 404: "one", 403: "", 200: ""} {
		body, kind, several := set.Choose(status, accept("text/html"))
		switch {
		case body == nil && want != "", body != nil && *body != want:
			t.Errorf("status %d: %v, want %s", status, body, want)
		case body != nil && (kind != pages.JSON || several):
			t.Errorf("status %d: kind %d, several %v", status, kind, several)
		}
	}
}

// A status is one of an error, and reads as it is written.
func TestStatus(t *testing.T) {
	for text, want := range map[string]string{"404": "404", "4xx": "4xx", "5XX": "5xx", "599": "599"} {
		var s pages.Status
		err := s.UnmarshalText([]byte(text))
		if b, _ := s.MarshalText(); err != nil || string(b) != want {
			t.Errorf("%s reads %s, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "200", "3xx", "600", "0404", "40x", "-404"} {
		var s pages.Status
		if err := s.UnmarshalText([]byte(text)); err == nil || !strings.HasSuffix(err.Error(), "use 400 to 599, 4xx or 5xx") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Choosing allocates nothing.
func TestChooseAllocates(t *testing.T) {
	all, fields := pages.Set[string]{whole(pages.Status{Low: 400, High: 599})}, accept("text/html;q=0.3, application/json, */*")
	if n := testing.AllocsPerRun(100, func() { all.Choose(500, fields) }); n != 0 {
		t.Errorf("Choose allocates %v times", n)
	}
}

// FuzzAccept proves that any Accept gets some page.
func FuzzAccept(f *testing.F) {
	f.Add("text/html;q=0.5,*/*")
	f.Add(";q=;,/*;q=1.0000")
	f.Add("q=0,text/*;q")
	all := pages.Set[string]{whole(pages.Status{Low: 400, High: 599})}
	f.Fuzz(func(t *testing.T, value string) {
		if body, _, _ := all.Choose(404, accept(value)); body == nil {
			t.Fatalf("%q gets nothing", value)
		}
	})
}
