package config_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/config"
	"portico/spec"
)

func source(text string) []spec.Source {
	return []spec.Source{{Name: "<test>", Text: []byte(text)}}
}

// A spec is complete after it was loaded: what is absent has its default,
// wherever it is absent.
func TestDefaults(t *testing.T) {
	s := load(t, `portico: v1
sites: [here]
vips: [{name: v, addresses: {}}]
zones: [{name: example.com, nameservers: [ns1], records: [{name: a}]}]
listeners: [{name: l, vip: v, port: 1, protocol: http, redirect: https, limits: {headers: 5}}]
routes: [{name: r, rules: [{sticky: {cookie: {}}, targetGroups: [g]}]}]
targetGroups: [{name: g, health: {check: http, rise: 1}, targets: ["10.0.0.1:80"]}, {name: h, targets: []}]
`)
	timing := spec.Timing{Interval: spec.Duration(5 * time.Second), Timeout: spec.Duration(2 * time.Second), Rise: 2, Fall: 3}
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"drain", s.Drain, spec.Duration(30 * time.Second)},
		{"access log", s.AccessLog, spec.AccessLogJSON},
		{"short form of a site", s.Sites[0].Name, spec.SiteName("here")},
		{"announce", s.VIPs[0].Announce, spec.AnnounceNone},
		{"health of a VIP, embedded", s.VIPs[0].Health.Timing, timing},
		{"zone TTL", s.Zones[0].TTL, spec.Duration(time.Minute)},
		{"SOA", s.Zones[0].SOA.Serial, uint32(1)},
		{"record TTL", s.Zones[0].Records[0].TTL, spec.Duration(0)},
		{"record", s.Zones[0].Records[0].WhenNoneHealthy, spec.FailOpen},
		{"redirect, short", *s.Listeners[0].Redirect, spec.ListenerRedirect{Scheme: "https", Code: 308}},
		{"limits, in part", s.Listeners[0].Limits, spec.Limits{Head: 32 << 10, Headers: 5}},
		{"timeouts", s.Listeners[0].Timeouts, spec.Timeouts{}},
		{"cookie", s.Routes[0].Rules[0].Sticky.Cookie.Name, "PORTICO"},
		{"group, short", s.Routes[0].Rules[0].TargetGroups[0], spec.GroupRef{Name: "g", Weight: 1}},
		{"params of a choice, short", *s.TargetGroups[0].Health.Check.Params.(*httpCheck), httpCheck{Path: "/"}},
		{"rise, given", s.TargetGroups[0].Health.Rise, 1},
		{"fall, absent", s.TargetGroups[0].Health.Fall, 3},
		{"target weight", s.TargetGroups[0].Targets[0].Weight, 1},
		{"an absent pointer", s.TargetGroups[1].Health == nil && s.TargetGroups[1].Balance == nil, true},
		{"no elements", s.TargetGroups[1].Targets == nil, true},
	} {
		if c.got != c.want {
			t.Errorf("%s = %v, want %v", c.what, c.got, c.want)
		}
	}
}

// Many files are read as one, in the order of their names.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"b.yaml":        "portico: v1\ntargetGroups: [{name: b, targets: []}]\n",
		"a.json":        `{"portico": "v1", "targetGroups": [{"name": "a", "targets": []}], "secrets": {"sticky": [{"file": "key"}]}}`,
		"c.yml":         "portico: v1\nsecrets: {sticky: [{file: sub/key}]}\n---\ntargetGroups: [{name: c, targets: []}]\n",
		"key":           "one\n",
		"sub/key":       "two\r\n",
		"sub/not.yaml":  "nonsense",
		".not.yaml":     "nonsense",
		"not.yaml.orig": "nonsense",
	} {
		write(t, filepath.Join(dir, name), text)
	}
	sources, err := config.ReadPath(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, report := config.Load(sources, kinds())
	if len(report.Problems()) > 0 {
		t.Fatal(report.Problems())
	}
	var names []string
	for _, g := range s.TargetGroups {
		names = append(names, string(g.Name))
	}
	if !slices.Equal(names, []string{"a", "b", "c"}) {
		t.Errorf("target groups are %v", names)
	}
	if len(s.Secrets.Sticky) != 2 || string(s.Secrets.Sticky[0].Value) != "one" || string(s.Secrets.Sticky[1].Value) != "two" ||
		s.Secrets.Sticky[1].File != filepath.Join(dir, "sub", "key") {
		t.Errorf("secrets are %v", s.Secrets.Sticky)
	}
	want := []string{"a.json", "b.yaml", "c.yml", "key", "sub/key"}
	for i := range want {
		want[i] = filepath.Join(dir, want[i])
	}
	if got := report.Files(); !slices.Equal(got, want) {
		t.Errorf("Files = %v, want %v", got, want)
	}
}

// A file that is missing is watched for all the same: it may come.
func TestFilesThatAreMissing(t *testing.T) {
	_, report := config.Load([]spec.Source{{Name: "<test>", Dir: "/nowhere", Text: []byte("portico: v1\nsecrets: {sticky: [{file: key}]}\n")}}, kinds())
	if got := report.Files(); !slices.Equal(got, []string{"/nowhere/key"}) || !report.Fatal() {
		t.Errorf("Files = %v, fatal %v", got, report.Fatal())
	}
}

// What cannot be a spec is refused by its name.
func TestReadPathRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "large.yaml"), strings.Repeat("#", 8<<20+1))
	write(t, filepath.Join(dir, "empty", "notes.txt"), "")
	for path, want := range map[string]string{
		filepath.Join(dir, "nowhere.yaml"): "no such file",
		filepath.Join(dir, "empty"):        "no *.yaml",
		filepath.Join(dir, "large.yaml"):   "more than 8MiB",
	} {
		if _, err := config.ReadPath(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Base(path)) {
			t.Errorf("ReadPath(%s) = %v", path, err)
		}
	}
}

// Text that did not come from a file is bounded too.
func TestLoadBounds(t *testing.T) {
	for name, text := range map[string]string{
		"size":      strings.Repeat("#", 8<<20+1),
		"documents": strings.Repeat("---\na: 1\n", 100_000),
		"nesting":   strings.Repeat("[", 1<<20),
		"dashes":    strings.Repeat("- ", 1<<18),
		"colons":    strings.Repeat("a: ", 1<<18),
		"questions": strings.Repeat("? ", 1<<18),
		"anchors":   strings.Repeat("&a ", 1<<18),
		"tags":      strings.Repeat("! ", 1<<18),
		"flow keys": "[" + strings.Repeat("a: ", 1<<18) + "]",
		"JSON":      `{"a":` + strings.Repeat("[", 9000) + strings.Repeat("]", 9000) + "}",
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			_, report := config.Load(source(text), kinds())
			if !report.Fatal() {
				t.Error("it was taken")
			}
			if n := len(report.Problems()); n > 1000 {
				t.Errorf("%d problems", n)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
		})
	}
	if s, report := config.Load(make([]spec.Source, 1001), kinds()); s != nil || !report.Fatal() {
		t.Error("1001 files were taken")
	}
}

// No more problems are kept than anyone reads, and their number is said.
func TestManyProblems(t *testing.T) {
	_, report := config.Load(source("portico: v1\ntargetGroups:\n"+strings.Repeat("- 5\n", 1500)), kinds())
	if n := len(report.Problems()); n != 1000 {
		t.Errorf("%d problems are kept", n)
	}
	text := written(t, report)
	if !strings.HasSuffix(text, "… and 500 more\n1500 problems in <test>; nothing was changed\n") {
		t.Errorf("the report ends with %q", text[len(text)-100:])
	}
}

// Problems that were found later take their places by their paths, nearest
// first; what repeats a problem of a value that was not read is left out.
func TestAdd(t *testing.T) {
	text := `portico: v1
targetGroups:
  - name: web
    targets: [10.0.0.1:80]
  - {name: 7, targets: []}
`
	_, report := config.Load(source(text), kinds())
	report.Add([]spec.Problem{
		{Path: "targetGroups[0].targets[0]", What: "an element"},
		{Path: "targetGroups[0].targets[0].weight", What: "below a short form"},
		{Path: "targetGroups[0].health.check", What: "absent"},
		{Path: "targetGroups[1].name", What: "an echo"},
		{Path: "targetGroups[1]", What: "an echo around"},
		{Path: "nowhere", What: "nowhere", Level: spec.Warning},
		{What: "no path", Help: "some help"},
		{What: "no path", Help: "some help"},
	})
	var got []string
	for _, p := range report.Problems() {
		got = append(got, fmt.Sprintf("%d:%d %s", p.Line, p.Column, p.Problem))
	}
	want := []string{
		"1:1 warning: nowhere: nowhere",
		"1:1 no path; some help",
		`3:5 targetGroups[0].health.check: absent`,
		`4:15 targetGroups[0].targets[0]: an element`,
		`4:15 targetGroups[0].targets[0].weight: below a short form`,
		`5:12 targetGroups[1].name: found a number where text belongs; write "7", with the quotes`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// Machines read the same report as JSON.
func TestLocatedJSON(t *testing.T) {
	_, report := config.Load(source("portico: v1\nhue: red\n"), kinds())
	got, err := json.Marshal(report.Problems()[0])
	if err != nil {
		t.Fatal(err)
	}
	var p struct {
		File, Path, What, Help string
		Line, Column           int
	}
	if err := json.Unmarshal(got, &p); err != nil {
		t.Fatal(err)
	}
	if p.File != "<test>" || p.Line != 2 || p.Column != 1 || p.Path != "hue" || p.What != `unknown key "hue"` || p.Help == "" {
		t.Errorf("JSON is %s", got)
	}
}

// A report without problems says nothing; one with warnings alone does not say
// that anything was refused.
func TestWriteWarnings(t *testing.T) {
	_, report := config.Load(source("portico: v1\n"), kinds())
	if got := written(t, report); got != "" {
		t.Errorf("the report is %q", got)
	}
	report.Add([]spec.Problem{{Path: "portico", What: "old", Level: spec.Warning}})
	want := "<test>:1:10: warning: portico: old\n    1 | portico: v1\n      |          ^^\n"
	if got := written(t, report); got != want || report.Fatal() {
		t.Errorf("the report is %q", got)
	}
}

// A large spec is read in the time that a person waits for.
func BenchmarkLoad(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("portico: v1\nroutes:\n")
	for i := range 10_000 {
		fmt.Fprintf(&text, "  - name: r%d\n    hosts: [h%d.example.com]\n    rules:\n      - match: [{path: {prefix: /api}}]\n        targetGroups: [web]\n", i, i)
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		if _, report := config.Load(source(text.String()), kinds()); report.Fatal() {
			b.Fatal(report.Problems()[0])
		}
	}
}

// Whatever the text is, Load ends, and what it takes it can write again.
func FuzzLoad(f *testing.F) {
	names, err := filepath.Glob("testdata/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(text) < 4<<10 {
			f.Add(text)
		}
	}
	f.Add([]byte(`{"portico": "v1", "routes": [{"name": "a", "rules": []}]}`))
	f.Add([]byte("portico: v1\r\ndrain: 1s\r\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Add([]byte("? a\n: b"))
	f.Add([]byte("\"\\ud800\": 'x''y'"))
	f.Add([]byte("{t: [::1, a::b, :, :c, a:]}"))
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > 16<<10 {
			return
		}
		s, report := config.Load([]spec.Source{{Name: "<fuzz>", Dir: dir, Text: text}}, kinds())
		if err := report.Write(new(bytes.Buffer)); err != nil {
			t.Fatal(err)
		}
		for _, p := range report.Problems() {
			if p.Line < 1 || p.Column < 1 {
				t.Errorf("%s has no place", p.Problem)
			}
		}
		if report.Fatal() {
			return
		}
		out, err := config.Marshal(s)
		if err != nil {
			t.Fatalf("Marshal: %v", err)
		}
		if _, report := config.Load(source(string(out)), kinds()); report.Fatal() {
			t.Errorf("what was written is not read: %v\n%s", report.Problems(), out)
		}
	})
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
