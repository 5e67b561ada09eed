package bed

import (
	"context"
	"fmt"
	"os/exec"
	"path"
	"path/filepath"
	"time"
)

// programs is the module that names the programs of public suites.
const programs = "test/conformance/programs"

// buildBound is how long building a program may take where nothing was built yet.
const buildBound = 5 * time.Minute

// Program builds a program of the module of programs, by its package, into Dir.
func (b *Bed) Program(pkg string) (file string) {
	b.tb.Helper()
	file = filepath.Join(b.Dir, path.Base(path.Dir(pkg))+"-"+path.Base(pkg))
	ctx, cancel := context.WithTimeout(context.Background(), buildBound)
	defer cancel()
	build := exec.CommandContext(ctx, Need(b.tb, "go"), "build", "-mod=readonly", "-o", file, pkg)
	build.Dir = filepath.Join(root(b.tb), programs)
	if out, err := build.CombinedOutput(); err != nil {
		Skip(b.tb, fmt.Sprintf("go build %s: %v: %s", pkg, err, out))
	}
	return file
}
