package agree_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"portico/internal/agree"
	"portico/spec"
)

// A value is replaced only by who has seen it, read only by who has not, and back at
// revision 0 where it is lost or broken; no revision comes twice.
func TestSwap(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "to", "come")
	f := agree.NewFiles(dir)
	seen := map[uint64]bool{}
	read := func(has uint64, want string, known bool) uint64 {
		t.Helper()
		value, revision, err := f.Read("db@east", has)
		if string(value) != want || err != nil || (revision == has) != known {
			t.Errorf("Read(%d) = %q, %d, %v, want %q", has, value, revision, err, want)
		}
		return revision
	}
	swap := func(has uint64, value string) uint64 {
		t.Helper()
		revision, err := f.Swap(t.Context(), "db@east", has, []byte(value))
		if err != nil || revision <= has || seen[revision] {
			t.Fatalf("Swap(%d, %q) = %d, %v, want a revision that nobody had", has, value, revision, err)
		}
		seen[revision] = true
		return revision
	}
	read(0, "", true)
	first := swap(0, "one")
	read(0, "one", false)
	read(first, "", true)
	second := swap(first, "two\nlines")
	for _, has := range []uint64{0, first, second + 1} {
		if _, err := f.Swap(t.Context(), "db@east", has, nil); !errors.Is(err, agree.ErrChanged) {
			t.Errorf("Swap(%d) = %v, want ErrChanged", has, err)
		}
	}
	read(first, "two\nlines", false)
	if err := os.WriteFile(filepath.Join(dir, "db@east.value"), []byte("99999999999999999999\nx"), 0o600); err != nil {
		t.Fatal(err)
	}
	read(second, "", false)
	swap(0, "three")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	swap(read(second, "", false), "four")
	blocked := agree.NewFiles(filepath.Join(dir, "db@east.value")) // a file where the folder should be
	if _, err := blocked.Swap(t.Context(), "x", 0, nil); err == nil {
		t.Error("Swap where no folder can be = nil, want an error")
	}
	if _, _, err := blocked.Read("x", 0); err == nil {
		t.Error("Read where no folder can be = nil, want an error")
	}
}

// Of many who swap at once each loses no other's.
func TestSwapAtOnce(t *testing.T) {
	const writers, times = 4, 10
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			f := agree.NewFiles(dir)
			for done := 0; done < times; {
				value, revision, err := f.Read("n", 0)
				n := 0
				if err == nil && revision > 0 {
					n, err = strconv.Atoi(string(value))
				}
				if err == nil {
					_, err = f.Swap(t.Context(), "n", revision, fmt.Append(nil, n+1))
				}
				if err == nil {
					done++
				} else if !errors.Is(err, agree.ErrChanged) {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	if value, _, err := agree.NewFiles(dir).Read("n", 0); string(value) != fmt.Sprint(writers*times) || err != nil {
		t.Errorf("the value is %q, %v, want %d", value, err, writers*times)
	}
}

// A lease has one holder until it ends. One that a machine without power left, or that
// an earlier boot did, has ended.
func TestLease(t *testing.T) {
	now, dir := 10*time.Second, t.TempDir()
	f := agree.NewFilesBy(dir, func() time.Duration { return now })
	holder := func(self spec.NodeName) spec.NodeName {
		t.Helper()
		l, err := f.Acquire(context.Background(), "db", self, 3*time.Second)
		if err != nil {
			t.Error(err)
		}
		return l.Holder
	}
	steps := []struct {
		name string
		do   func()
		want spec.NodeName
	}{
		{"nobody had it", func() {}, "b"},
		{"another asks", func() { holder("a") }, "b"},
		{"it ended", func() { now += 4 * time.Second; holder("a") }, "a"},
		{"it was given back", func() {
			if err := f.Release(context.Background(), "db", "a"); err != nil {
				t.Error(err)
			}
		}, "b"},
		{"power was lost", func() {
			holder("a")
			if err := os.WriteFile(filepath.Join(dir, "db.json"), nil, 0o600); err != nil {
				t.Error(err)
			}
		}, "b"},
		{"the machine began anew", func() {
			now += time.Hour
			holder("a")
			now = time.Second
		}, "b"},
	}
	for _, s := range steps {
		if s.do(); holder("b") != s.want {
			t.Errorf("%s: b is not answered %q", s.name, s.want)
		}
	}
}
