//go:build linux

package main

import (
	"context"
	"errors"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/bench/rig"
	"portico/config"
	"portico/node"
)

// A flag out of range, and a name that is none, are refused before anything starts.
func TestParse(t *testing.T) {
	for _, args := range [][]string{
		{"-rounds", "0"},
		{"-rounds", "101"},
		{"-for", "10ms"},
		{"-for", "2m"},
		{"-o", "xml"},
		{"-nice", "20"},
		{"-arms", "h3"},
		{"-arms", "h1-c64,"},
		{"-only", "apache"},
		{"h1-c64"},
	} {
		if _, err := parse(args); err == nil {
			t.Errorf("%q was taken", args)
		}
	}
	if o, err := parse(nil); err != nil || o.rounds != 5 || o.length != 2*time.Second || o.arms != nil || o.only != nil {
		t.Errorf("%+v, %v", o, err)
	}
	if o, err := parse([]string{"-arms", "tls13,h2", "-only", "portico"}); err != nil || !slices.Equal(o.arms, []string{"tls13", "h2"}) {
		t.Errorf("%+v, %v", o, err)
	}
}

// The flags choose arms, and entrants by their program; an arm nobody is left in is
// not measured.
func TestSelected(t *testing.T) {
	if got := selected(options{}); len(got) != len(arms) {
		t.Errorf("%d arms of %d", len(got), len(arms))
	}
	got := selected(options{arms: []string{"h1-c64", "routes"}, only: []string{"haproxy", "direct"}})
	if len(got) != 1 || got[0].name != "h1-c64" || len(got[0].entrants) != 2 {
		t.Errorf("%+v", got)
	}
	if len(named(t, "h1-c64").entrants) != 4 {
		t.Error("the table of arms was changed")
	}
}

// Every arm can be told from the others, its rows too, and its ratios are of them.
func TestArms(t *testing.T) {
	names, lines := map[string]bool{}, map[string]bool{}
	for _, a := range arms {
		if names[a.name] || a.line != "" && lines[a.line] {
			t.Errorf("%s: the name or the line is taken", a.name)
		}
		names[a.name], lines[a.line] = true, true
		rows := map[string]bool{"": true}
		for _, e := range a.entrants {
			if rows[e.row] {
				t.Errorf("%s: two rows %q", a.name, e.row)
			}
			rows[e.row] = true
		}
		for _, r := range a.ratios {
			if !rows[r.of] || !rows[r.over] {
				t.Errorf("%s: ratio %q is of rows that are not there", a.name, r.label)
			}
		}
	}
}

// Everyone listens where the bench looks, on a port that the kernel gives to nobody
// else, and sends to the same two targets.
func TestFilesAgree(t *testing.T) {
	t.Chdir("../..")
	temp := t.TempDir()
	if err := furnish(temp); err != nil {
		t.Fatal(err)
	}
	port := regexp.MustCompile(`127\.0\.0\.1:(19\d+)`)
	for _, a := range arms {
		for _, e := range a.entrants {
			if e.file == "" {
				continue
			}
			b, err := os.ReadFile(filepath.Join(temp, e.file))
			if err != nil {
				t.Fatal(err)
			}
			text := string(b)
			if p := strings.TrimPrefix(e.address, "127.0.0.1:"); !strings.Contains(text, p) || len(p) != 5 || p >= "32768" {
				t.Errorf("%s, %s: %s does not listen on %s, or that is a port of the kernel's", a.name, e.row, e.file, e.address)
			}
			targets := port.FindAllString(text, -1)
			slices.Sort(targets)
			if got := strings.Join(slices.Compact(targets), " "); got != "127.0.0.1:"+targetOne+" 127.0.0.1:"+targetTwo {
				t.Errorf("%s: targets %q", e.file, got)
			}
		}
	}
}

// The specs that Portico is measured with have no problem, and as many routes as
// they are named for.
func TestSpecs(t *testing.T) {
	t.Chdir("../..")
	temp := t.TempDir()
	if err := furnish(temp); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{portico.file, fewRoutes, manyRoutes} {
		sources, err := config.ReadPath(filepath.Join(temp, name))
		if err != nil {
			t.Fatal(err)
		}
		want, report := node.Load(sources, "")
		if problems := report.Problems(); len(problems) > 0 {
			t.Errorf("%s: %+v", name, problems[0])
			continue
		}
		if n := routesOf[name]; n > 0 && len(want.Routes) != n {
			t.Errorf("%s has %d routes, want %d", name, len(want.Routes), n)
		}
	}
}

// The target answers with the size that the path names, whole heads and split ones,
// and counts.
func TestTarget(t *testing.T) {
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("no gcc")
	}
	t.Chdir("../..")
	b := &bench{temp: t.TempDir()}
	if err := rig.Compile(t.Context(), targetSource, filepath.Join(b.temp, "target")); err != nil {
		t.Fatal(err)
	}
	here, err := rig.ChooseSeats(0)
	if err != nil {
		t.Fatal(err)
	}
	counts, one := freePort(t), freePort(t)
	p, err := rig.Start(b.temp, "target", here.Load, "./target", counts, one)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Stop)
	small, address := ask{path: "/1k", size: 1 << 10}, "127.0.0.1:"+one
	if err := small.ready(t.Context(), p, address); err != nil {
		t.Fatal(err)
	}
	before, err := tally(t.Context(), counts)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range []ask{small, {path: "/64k", size: 1 << 16}} {
		if err := a.kept(t.Context(), address, ""); err != nil {
			t.Errorf("%s: %v", a.path, err)
		}
	}
	after, err := tally(t.Context(), counts)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := after.since(before), (tallied{2, 2 * keptFor}); got != want {
		t.Errorf("the target counted %+v, want %+v", got, want)
	}
	// Another one cannot have its port, whoever answers there.
	other, err := rig.Start(b.temp, "other", here.Load, "./target", freePort(t), one)
	if err != nil {
		t.Fatal(err)
	}
	<-other.Done
	if err := rig.Vacant(t.Context(), address); err == nil {
		t.Error("nobody listens where the target does")
	}
	if err := rig.Vacant(t.Context(), "127.0.0.1:"+freePort(t)); err != nil {
		t.Error(err)
	}
	if err := small.ready(t.Context(), other, address); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("a target without its port: %v", err)
	}
}

// freePort is one that nobody has.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

// Two runs take turns, and one that waits can be interrupted.
func TestAlone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := rig.Alone(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := rig.Alone(ctx, path); err == nil {
		t.Fatal("two runs at once")
	}
	first()
	second, err := rig.Alone(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	second()
}

// The CPU time of a process grows with its work, and a gone process is an error.
func TestUsed(t *testing.T) {
	self := []int{os.Getpid()}
	before, err := rig.Used(self)
	if err != nil {
		t.Skipf("no scheduler statistics here: %v", err)
	}
	for began := time.Now(); time.Since(began) < 20*time.Millisecond; {
		_ = strings.Repeat("x", 1000)
	}
	after, err := rig.Used(self)
	if err != nil || after.CPU <= before.CPU {
		t.Errorf("%v, then %v, %v", before.CPU, after.CPU, err)
	}
	if rig.Memory(self) < 1<<20 {
		t.Errorf("%d bytes resident", rig.Memory(self))
	}
	if _, err := rig.Used([]int{1 << 30}); err == nil {
		t.Error("a process that is not there has been measured")
	}
	if took, err := cpuOf(func() error { return nil }); err != nil || took <= 0 {
		t.Errorf("%v, %v", took, err)
	}
	if _, err := cpuOf(func() error { return errors.New("no") }); err == nil {
		t.Error("what failed has been measured")
	}
}

// A wait ends when it is told to.
func TestPause(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := rig.Pause(ctx, time.Hour); err == nil {
		t.Error("a wait of an hour was over")
	}
	if err := rig.Pause(t.Context(), time.Millisecond); err != nil {
		t.Error(err)
	}
}
