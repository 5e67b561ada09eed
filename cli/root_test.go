package cli

import (
	"bytes"
	"strings"
	"testing"
)

// TestExitCodes proves what each way of going wrong exits with, and that its
// message says what to do.
func TestExitCodes(t *testing.T) {
	t.Setenv("PORTICO_SOCKETS", t.TempDir())
	tests := []struct {
		name string
		args string
		code int
		says string
	}{
		{"version", "version", ExitOK, "portico test go1."},
		{"help", "--help", ExitOK, "portico demo"},
		{"unknown verb", "runn", ExitRefused, `unknown command "runn"`},
		{"help on a verb", "help run", ExitOK, "portico run [flags]"},
		{"help on an unknown verb", "help runn", ExitRefused, `unknown command "runn"`},
		{"unknown flag", "run --confg x", ExitRefused, "see portico run --help"},
		{"nothing to run", "run", ExitRefused, "--listen :8080 --to 127.0.0.1:3000"},
		{"too many arguments", "version now", ExitRefused, "takes no arguments"},
		{"too few arguments", "explain", ExitRefused, "takes one URL"},
		{"no such file", "check no-such-file.yaml", ExitRefused, "no-such-file.yaml"},
		{"unknown output", "status -o yaml", ExitRefused, "use json"},
		{"unknown level", "run --listen :0 --to 127.0.0.1:1 --log-level loud", ExitRefused, "use debug, info, warn or error"},
		{"unknown format", "run --listen :0 --to 127.0.0.1:1 --log xml", ExitRefused, "use text or json"},
		{"unknown driver", "run --listen :0 --to 127.0.0.1:1 --driver uring", ExitRefused, "--driver uring: unknown driver; use "},
		{"unknown datapath", "run --listen :0 --to 127.0.0.1:1 --datapath tc", ExitRefused, "use relay, xdp or auto"},
		{"bad client address", "explain http://a/ --from nowhere", ExitRefused, "--from nowhere: not an address"},
		{"bad header", "explain http://a/ -H nocolon", ExitRefused, `use "Name: value"`},
		{"nobody to ask", "status", ExitFailed, "start one with portico demo or portico run"},
		{"nobody to apply to", "apply testdata/none.yaml", ExitRefused, "none.yaml"},
		{"no demo", "demo kill east", ExitFailed, "start one with portico demo"},
		{"needs for a program", "check --needs -o json a.yaml", ExitRefused, "--needs and -o exclude each other"},
		{"watching for a program", "status --watch -o json", ExitRefused, "--watch and -o exclude each other"},
		{"bench of nothing", "bench --rate 1", ExitRefused, "use http://host:port/path"},
		{"bench with a bad server", "bench --url http://a/ --dns nowhere", ExitRefused, "--dns nowhere"},
		{"bench with a bad network", "bench --url http://a/ --sources here", ExitRefused, "use a network"},
		{"bench with a bad CA", "bench --url http://a/ --ca no-such-file", ExitRefused, "--ca"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			code := Main(strings.Fields(tt.args), Streams{In: strings.NewReader(""), Out: &out, Err: &out}, "test")
			if code != tt.code || !strings.Contains(out.String(), tt.says) {
				t.Errorf("portico %s exits %d and says %q; want %d and %q", tt.args, code, out.String(), tt.code, tt.says)
			}
			if strings.Contains(out.String(), "portico: portico:") || strings.Count(out.String(), "\n") > 60 {
				t.Errorf("portico %s says too much: %q", tt.args, out.String())
			}
		})
	}
}

// TestWelcome proves that what the demo suggests can be pasted: by the name of
// the program as it was started.
func TestWelcome(t *testing.T) {
	text := welcome("/tmp/demo", "127.0.0.1:9900")
	for _, want := range []string{
		"dig @127.0.1.53 -p 5300 +short myapp.example.com\n",
		"--cacert /tmp/demo/ca.pem", program() + " status --watch\n", program() + " demo kill east/l7-1",
		"http://127.0.0.1:9900/metrics",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the demo does not say %q:\n%s", want, text)
		}
	}
	if text := welcome("/tmp/demo", "off"); strings.Contains(text, "/metrics") {
		t.Error("the demo tells of an admin address that is off")
	}
}
