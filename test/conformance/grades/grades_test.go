package grades

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"portico/test/bed"
)

func TestMain(m *testing.M) { os.Exit(bed.Main(m)) }

const (
	// suite is the name of the checks on the page of scores.
	suite = "TLS as it comes (sslscan)"
	// hang bounds a scan; it is far more than one takes.
	hang = time.Minute
)

// scan is what sslscan found, as its XML has it.
type scan struct {
	Protocols []struct {
		Type    string `xml:"type,attr"`
		Version string `xml:"version,attr"`
		Enabled int    `xml:"enabled,attr"`
	} `xml:"ssltest>protocol"`
	Renegotiation struct {
		Supported int `xml:"supported,attr"`
		Secure    int `xml:"secure,attr"`
	} `xml:"ssltest>renegotiation"`
	Compression struct {
		Supported int `xml:"supported,attr"`
	} `xml:"ssltest>compression"`
	Heartbleed []struct {
		Vulnerable int `xml:"vulnerable,attr"`
	} `xml:"ssltest>heartbleed"`
	Ciphers []struct {
		Version string `xml:"sslversion,attr"`
		Bits    int    `xml:"bits,attr"`
		Name    string `xml:"cipher,attr"`
	} `xml:"ssltest>cipher"`
}

// speaks reports whether a version is on.
func (s *scan) speaks(kind, version string) bool {
	for _, p := range s.Protocols {
		if p.Type == kind && p.Version == version {
			return p.Enabled == 1
		}
	}
	return false
}

// all reports whether every cipher is as it should be, and there is one.
func (s *scan) all(good func(version, name string, bits int) bool) bool {
	for _, c := range s.Ciphers {
		if !good(c.Version, c.Name, c.Bits) {
			return false
		}
	}
	return len(s.Ciphers) > 0
}

// checks are what a server should be today (RFC 8996, RFC 9325).
var checks = []struct {
	name string
	good func(*scan) bool
}{
	{"no SSLv2", func(s *scan) bool { return !s.speaks("ssl", "2") }},
	{"no SSLv3", func(s *scan) bool { return !s.speaks("ssl", "3") }},
	{"no TLS 1.0", func(s *scan) bool { return !s.speaks("tls", "1.0") }},
	{"no TLS 1.1", func(s *scan) bool { return !s.speaks("tls", "1.1") }},
	{"TLS 1.2", func(s *scan) bool { return s.speaks("tls", "1.2") }},
	{"TLS 1.3", func(s *scan) bool { return s.speaks("tls", "1.3") }},
	{"forward secrecy alone", func(s *scan) bool {
		return s.all(func(version, name string, _ int) bool {
			return version == "TLSv1.3" || strings.HasPrefix(name, "ECDHE-") || strings.HasPrefix(name, "DHE-")
		})
	}},
	{"authenticated encryption alone", func(s *scan) bool {
		return s.all(func(_, name string, _ int) bool {
			return strings.Contains(name, "GCM") || strings.Contains(name, "POLY1305") || strings.Contains(name, "CCM")
		})
	}},
	{"128 bits or more", func(s *scan) bool { return s.all(func(_, _ string, bits int) bool { return bits >= 128 }) }},
	{"no compression", func(s *scan) bool { return s.Compression.Supported == 0 }},
	{"no insecure renegotiation", func(s *scan) bool { return s.Renegotiation.Supported == 0 || s.Renegotiation.Secure == 1 }},
	{"no Heartbleed", func(s *scan) bool {
		for _, h := range s.Heartbleed {
			if h.Vulnerable != 0 {
				return false
			}
		}
		return true
	}},
}

// TestGrades proves that an https listener without a word about TLS is what RFC
// 9325 asks for, as sslscan sees it.
func TestGrades(t *testing.T) {
	bed.Suite(t)
	b := bed.New(t)
	b.Keys("grades.example")
	b.Portico(b.Write("testdata/portico.yaml"), b.Addr("10:8441"), "--admin", "off")
	bed.Publish(t, bed.Score{Suite: suite, Portico: grade(t, b, t.Logf)})
}

// TestPeersGrades scans nginx and HAProxy.
func TestPeersGrades(t *testing.T) {
	bed.Suite(t)
	b := bed.New(t)
	b.Keys("grades.example")
	b.NGINX(b.Write("testdata/nginx.conf"), b.Addr("10:8441"))
	score := bed.Score{Suite: suite, NGINX: grade(t, b, t.Logf)}
	b = bed.New(t)
	b.Keys("grades.example")
	b.HAProxy(b.Write("testdata/haproxy.cfg"), b.Addr("10:8441"))
	score.HAProxy = grade(t, b, t.Logf)
	bed.Publish(t, score)
}

// grade scans what listens in a bed, says which checks it does not pass, and counts.
func grade(t *testing.T, b *bed.Bed, say func(string, ...any)) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), hang)
	defer cancel()
	var out []byte
	for try := 1; ; try++ {
		var err error
		out, err = exec.CommandContext(ctx, bed.Need(t, "sslscan"), "--xml=-",
			"--sni-name=grades.example", b.Addr("10:8441")).Output()
		if err == nil {
			break
		}
		// It gives up where it writes to a connection that has just refused its hello.
		if try == 5 || !bytes.Contains(out, []byte("send() failed")) {
			t.Fatalf("sslscan: %v: %s", err, out)
		}
	}
	var s scan
	if err := xml.Unmarshal(out, &s); err != nil || len(s.Protocols) == 0 {
		t.Fatalf("sslscan said %s: %v", out, err)
	}
	good := 0
	for _, c := range checks {
		if c.good(&s) {
			good++
			continue
		}
		say("%s: not so", c.name)
		for _, c := range s.Ciphers {
			say("  %s %s %d bits", c.Version, c.Name, c.Bits)
		}
	}
	return fmt.Sprintf("%d/%d", good, len(checks))
}
