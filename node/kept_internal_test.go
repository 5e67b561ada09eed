package node

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is kept is read back by the next process, whatever the name; what is broken
// says which file; a folder that cannot be written leaves what was there.
func TestFolder(t *testing.T) {
	f := folder(filepath.Join(t.TempDir(), "state", "edge"))
	var got []int
	if ok, err := f.Load("web", &got); ok || err != nil {
		t.Errorf("Load of nothing = %v, %v, want false", ok, err)
	}
	for _, name := range []string{"web", "../../web", "a b"} {
		for _, what := range [][]int{{1}, {1, 2, 3}} {
			if err := f.Save(name, what); err != nil {
				t.Fatal(err)
			}
			got = nil
			if ok, err := f.Load(name, &got); !ok || err != nil || len(got) != len(what) {
				t.Errorf("Load(%q) = %v, %v, %v, want %v", name, got, ok, err, what)
			}
		}
	}
	files, err := os.ReadDir(string(f))
	if err != nil || len(files) != 3 {
		t.Errorf("the folder has %v, %v, want three files and nothing left over", files, err)
	}
	if err := os.WriteFile(f.path("web"), []byte("["), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Load("web", &got); err == nil || !strings.Contains(err.Error(), "web.json") {
		t.Errorf("Load of a broken file = %v, want an error with its name", err)
	}
	blocked := folder(f.path("web")) // a file where the folder should be
	if err := blocked.Save("web", got); err == nil {
		t.Error("Save where no folder can be = nil, want an error")
	}
}
