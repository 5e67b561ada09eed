package agree_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"portico/internal/agree"
	"portico/spec"
)

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
