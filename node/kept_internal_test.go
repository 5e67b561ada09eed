package node

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"portico/internal/clock"
)

// TestFolder proves that what is kept is read back by the next process and by other
// nodes, whatever the name, and once; that what is broken says which file; and that a
// folder that cannot be written leaves what was there.
func TestFolder(t *testing.T) {
	f := folder{filepath.Join(t.TempDir(), "state"), "edge"}
	other := folder{f.path, "../other"}
	var got []int
	if at, err := f.Load("edge", "web", time.Time{}, &got); !at.IsZero() || err != nil {
		t.Errorf("Load of nothing = %v, %v, want no time", at, err)
	}
	for _, name := range []string{"web", "../../web", "a b"} {
		for _, what := range [][]int{{1}, {1, 2, 3}} {
			if err := f.Save(name, what); err != nil {
				t.Fatal(err)
			}
			got = nil
			at, err := other.Load("edge", name, time.Time{}, &got)
			if at.IsZero() || err != nil || len(got) != len(what) {
				t.Errorf("Load(%q) = %v, %v, %v, want %v", name, got, at, err, what)
			}
			got = nil
			if again, err := other.Load("edge", name, at, &got); !again.Equal(at) || err != nil || got != nil {
				t.Errorf("Load(%q) of what is known = %v, %v, %v, want that nothing is read", name, got, again, err)
			}
		}
	}
	files, err := os.ReadDir(f.of("edge"))
	if err != nil || len(files) != 3 {
		t.Errorf("the folder has %v, %v, want three files and nothing left over", files, err)
	}
	if err := os.WriteFile(f.file("edge", "web"), []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load("edge", "web", time.Time{}, &got); err == nil || !strings.Contains(err.Error(), "web.json") {
		t.Errorf("Load of a broken file = %v, want an error with its name", err)
	}
	blocked := folder{f.file("edge", "web"), "edge"} // a file where the folder should be
	if blocked.Save("web", got) == nil || blocked.Here() == nil {
		t.Error("nothing fails where no folder can be")
	}
	if err := other.Save("web", got); err != nil || filepath.Dir(other.of(other.self)) != f.path {
		t.Errorf("a node keeps in %s (%v), want in %s", other.of(other.self), err, f.path)
	}
}

// TestSweep proves that what a process left that was killed while it saved goes in time,
// and that what may still be written stays.
func TestSweep(t *testing.T) {
	f := folder{t.TempDir(), "edge"}
	if err := f.Here(); err != nil {
		t.Fatal(err)
	}
	now := clock.Now()
	for name, age := range map[string]time.Duration{unfinished + "1": 2 * time.Hour, unfinished + "2": time.Minute, "old.json": 2 * time.Hour} {
		path := filepath.Join(f.of("edge"), name)
		if err := errors.Join(os.WriteFile(path, nil, 0o600), os.Chtimes(path, now, now.Add(-age))); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Save("web", 1); err != nil {
		t.Fatal(err)
	}
	list, err := os.ReadDir(f.of("edge"))
	if err != nil {
		t.Fatal(err)
	}
	var left []string
	for _, e := range list {
		left = append(left, e.Name())
	}
	if want := []string{unfinished + "2", "old.json", "seen", "web.json"}; !slices.Equal(left, want) {
		t.Errorf("left are %v, want %v", left, want)
	}
}

// TestSavedAtOnce proves that each of many saves is seen, however fast they come: within
// a tick of the kernel's clock by which files are dated.
func TestSavedAtOnce(t *testing.T) {
	f := folder{filepath.Join(t.TempDir(), "state"), "edge"}
	var has time.Time
	for i := range 20 {
		before := clock.Now()
		if err := f.Save("web", i); err != nil {
			t.Fatal(err)
		}
		got := -1
		at, err := f.Load("edge", "web", has, &got)
		if err != nil || got != i {
			t.Fatalf("Load after save %d = %d, %v; want what was saved", i, got, err)
		}
		if at.Before(before) || at.After(clock.Now()) {
			t.Errorf("saved %v after it was begun, want when it was", at.Sub(before))
		}
		has = at
	}
}

// TestSeen proves that a node is seen by others while it notes that it runs.
func TestSeen(t *testing.T) {
	f := folder{filepath.Join(t.TempDir(), "state"), "edge"}
	other := folder{f.path, "other"}
	if at := other.Seen("edge"); !at.IsZero() {
		t.Errorf("seen at %v before it ran", at)
	}
	for range 2 {
		before := clock.Now().Add(-time.Second) // files have coarser times
		if err := f.Here(); err != nil {
			t.Fatal(err)
		}
		if at := other.Seen("edge"); at.Before(before) || at.After(clock.Now().Add(time.Second)) {
			t.Errorf("seen at %v, want now", at)
		}
		past := clock.Now().Add(-time.Hour)
		if err := os.Chtimes(f.seen("edge"), past, past); err != nil {
			t.Fatal(err)
		}
	}
}
