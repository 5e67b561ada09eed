package bed

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"portico/cli"
	"portico/internal/testkit"
)

// The environment.
const (
	// asPortico makes a test binary stand for Portico, so that it runs with the
	// race detector when the tests do.
	asPortico = "PORTICO_BED_PROGRAM"
	// binary names a Portico to run instead.
	binary = "PORTICO_BINARY"
	// conformance is set by make conformance.
	conformance = "PORTICO_CONFORMANCE"
)

// Main runs the tests of a package that starts Portico. It is what TestMain does,
// which exits with its result.
func Main(m *testing.M) int {
	if os.Getenv(asPortico) != "" {
		return cli.Main(os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}, "test")
	}
	return m.Run()
}

// Bed is where the processes of one test run.
type Bed struct {
	Dir string // configurations, keys and logs
	Net string // the first three numbers of its loopback addresses
	// Stdout takes what the processes started from now on print, in place of
	// their Out; nil means Out.
	Stdout io.Writer

	tb      testing.TB
	sockets string
}

// New makes a bed that is removed with the test.
func New(tb testing.TB) *Bed {
	tb.Helper()
	sockets, err := os.MkdirTemp("", "bed") //nolint:usetesting // a socket's path is bounded, and tb.TempDir is long
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = os.RemoveAll(sockets) })
	network, release := testkit.Network()
	tb.Cleanup(release)
	return &Bed{Dir: tb.TempDir(), tb: tb, sockets: sockets, Net: network}
}

// Addr is the address of one host of the bed, HOST:PORT with the host's last number.
func (b *Bed) Addr(last string) string { return b.Net + "." + last }

// Write puts a configuration into the bed, with $NET and $DIR replaced, and any
// other words by pairs. An existing file is replaced whole.
func (b *Bed) Write(from string, pairs ...string) (path string) {
	b.tb.Helper()
	text, err := os.ReadFile(from)
	if err != nil {
		b.tb.Fatal(err)
	}
	pairs = append(pairs, "$NET", b.Net, "$DIR", b.Dir)
	path = filepath.Join(b.Dir, filepath.Base(from))
	next := path + ".next"
	if err := os.WriteFile(next, []byte(strings.NewReplacer(pairs...).Replace(string(text))), 0o600); err != nil {
		b.tb.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		b.tb.Fatal(err)
	}
	return path
}

// Keys makes an authority for the bed and a certificate of it for hosts: cert.pem
// and key.pem, and both in both.pem. It returns the authority's file.
func (b *Bed) Keys(hosts ...string) (ca string) {
	b.tb.Helper()
	authority := testkit.NewCA(b.tb)
	certificate, key := authority.IssueFiles(b.tb, hosts...)
	var both []byte
	for from, to := range map[string]string{certificate: "cert.pem", key: "key.pem"} {
		pem, err := os.ReadFile(from)
		if err != nil {
			b.tb.Fatal(err)
		}
		both = append(both, pem...)
		b.write(to, pem)
	}
	b.write("both.pem", both)
	return authority.File(b.tb)
}

func (b *Bed) write(name string, text []byte) {
	b.tb.Helper()
	if err := os.WriteFile(filepath.Join(b.Dir, name), text, 0o600); err != nil {
		b.tb.Fatal(err)
	}
}

// Start runs any other program of the bed, in Dir, and waits until it listens.
func (b *Bed) Start(name, address, path string, args ...string) *Process {
	b.tb.Helper()
	return b.start(name, address, nil, path, args...)
}

// Portico runs a node of a spec and waits until it listens at address.
func (b *Bed) Portico(spec, address string, args ...string) *Process {
	b.tb.Helper()
	path, env := os.Getenv(binary), []string{"PORTICO_SOCKETS=" + b.sockets, "STATE_DIRECTORY=" + filepath.Join(b.Dir, "state")}
	if path == "" {
		self, err := os.Executable()
		if err != nil {
			b.tb.Fatal(err)
		}
		path, env = self, append(env, asPortico+"=1")
	}
	args = append([]string{"run", "--config", spec, "--log-level", "warn"}, args...)
	return b.start("portico", address, env, path, args...)
}

// NGINX runs nginx with a configuration.
func (b *Bed) NGINX(conf, address string) *Process {
	b.tb.Helper()
	return b.start("nginx", address, nil, Need(b.tb, "nginx"), "-p", b.Dir, "-c", conf, "-e", "stderr")
}

// HAProxy runs HAProxy with a configuration.
func (b *Bed) HAProxy(conf, address string) *Process {
	b.tb.Helper()
	return b.start("haproxy", address, nil, Need(b.tb, "haproxy"), "-db", "-f", conf)
}

// Need returns the path of a program. Without it the test is skipped, or fails
// where everything must run.
func Need(tb testing.TB, program string) string {
	tb.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		Skip(tb, program+" is not installed")
	}
	return path
}

// Skip skips a test that lacks something, or fails it where everything must run.
func Skip(tb testing.TB, why string) {
	tb.Helper()
	testkit.Without(tb, why)
}

// Suite skips a test that belongs to make conformance alone, where that does not
// run it.
func Suite(tb testing.TB) {
	tb.Helper()
	if os.Getenv(conformance) == "" {
		tb.Skip("a suite of make conformance")
	}
}
