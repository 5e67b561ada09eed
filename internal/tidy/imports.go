package tidy

import (
	"fmt"
	"slices"
	"strings"
)

// layer is what the packages below one folder may import of our own, besides each
// other.
type layer struct {
	folder string
	may    []string
	rule   string
}

// layers lists every folder that may hold Go. A folder that is not here is a
// finding: a new one gets its place first.
func layers() []layer {
	const tier = "tiers meet only in node, and are handed a spec; they never fetch one"
	const translate = "it turns one form of a spec into another and knows no tier"
	return []layer{
		{"spec", nil, "spec is a leaf: the standard library and nothing else"},
		{"spec/check", []string{"spec", "internal/suggest"}, "spec is a leaf; only its check may look for the word that was meant"},
		{"config", []string{"spec", "internal"}, translate},
		{"dns", []string{"target", "spec", "internal"}, tier},
		{"vip", []string{"target", "spec", "internal"}, tier},
		{"l4", []string{"target", "spec", "internal"}, tier},
		{"l7", []string{"target", "session", "spec", "internal"}, tier},
		{"target", []string{"spec", "internal"}, "tiers use targets and never the reverse"},
		{"session", []string{"spec", "internal"}, "tiers use sessions and never the reverse"},
		{"client", []string{"spec", "internal"}, "the client speaks to the API and knows no server"},
		{"control", []string{"client", "spec", "internal"}, "control hands specs to a node and knows no tier"},
		{"kube", []string{"spec", "internal"}, translate},
		{"ui", []string{"internal"}, "the dashboard speaks HTTP only"},
		{"node", []string{"config", "control", "dns", "kube", "l4", "l7", "session", "spec", "target", "ui", "vip", "internal"}, "the command line and the demo stand above node"},
		{"demo", []string{"client", "config", "control", "node", "spec", "internal"}, "the demo does only what a user could do"},
		{"cli", []string{"client", "config", "control", "demo", "node", "spec", "ui", "internal"}, "the command line speaks to nodes and the API, not to tiers"},
		{"cmd", []string{"cli"}, "cmd reads flags and hands over"},
		{"internal", []string{"spec"}, "what supports everything knows nothing of it"},
		{"bench", []string{"client", "config", "demo", "l4", "node", "spec", "internal"}, "a bench drives what is built"},
		{"test", []string{"cli", "client", "config", "control", "demo", "node", "spec", "internal"}, "a story drives what is built"},
	}
}

// checkLayers holds product code to its layer, and tests of a tier to their tier.
func checkLayers(t *tree) []Finding {
	var found []Finding
	for _, folder := range t.folders() {
		if _, ok := layerOf(folder); !ok {
			found = append(found, findingf(folder, 0, "%q has no layer; give it one in internal/tidy/imports.go and ARCHITECTURE.md", top(folder)))
		}
	}
	for _, s := range t.sources {
		l, known := layerOf(s.folder)
		for spec, imported := range s.imports {
			other, our := ours(imported)
			if !known || !our || within(other, l.folder) || slices.ContainsFunc(l.may, func(m string) bool { return within(other, m) }) {
				continue
			}
			if s.test && (!isTier(l.folder) || !isTier(top(other))) {
				continue
			}
			found = append(found, findingf(s.path, t.line(spec), "imports %s: %s", imported, l.rule))
		}
	}
	return found
}

// layerOf is the layer of a folder: the nearest one above it.
func layerOf(folder string) (found layer, ok bool) {
	for _, l := range layers() {
		if within(folder, l.folder) && len(l.folder) > len(found.folder) {
			found, ok = l, true
		}
	}
	return found, ok
}

func isTier(folder string) bool {
	return slices.Contains([]string{"dns", "vip", "l4", "l7"}, folder)
}

// door is the one folder a library enters by, so that replacing it touches one
// folder.
type door struct{ library, folder string }

func doors() []door {
	return []door{
		{"k8s.io", "kube"},
		{"sigs.k8s.io", "kube"},
		{"go.etcd.io", "control/store"},
		{"github.com/cilium/ebpf", "l4/xdp"},
		{"github.com/miekg/dns", "dns"},
		{"github.com/osrg/gobgp", "vip/bgp"},
		{"github.com/goccy/go-yaml", "config"},
		{"github.com/klauspost/compress", "l7/compress"},
		{"github.com/andybalholm/brotli", "l7/compress"},
	}
}

func checkDoors(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		for spec, imported := range s.imports {
			for _, d := range doors() {
				if within(imported, d.library) && !within(s.folder, d.folder) {
					found = append(found, findingf(s.path, t.line(spec), "imports %s, which enters by %s/ only", imported, d.folder))
				}
			}
		}
	}
	return found
}

// depthMax is how many packages of ours a chain of imports may have, from node
// down. The nouns of spec are the ground and do not count; neither does what
// stands above a node: programs, verbs, the demo.
const depthMax = 8

func counts(folder string) bool {
	return !slices.Contains([]string{"cmd", "cli", "demo", "bench", "test", "spec"}, top(folder))
}

func checkDepth(t *tree) []Finding {
	chains := map[string][]string{}
	var longest func(folder string) []string
	longest = func(folder string) []string {
		if c, ok := chains[folder]; ok {
			return c
		}
		chains[folder] = []string{folder} // ends the search in a cycle, which Go refuses anyway
		var below []string
		if p := t.packages[folder]; p != nil {
			for _, s := range p.sources {
				for _, imported := range s.imports {
					other, our := ours(imported)
					if s.test || !our || !counts(other) {
						continue
					}
					if c := longest(other); len(c) > len(below) {
						below = c
					}
				}
			}
		}
		chains[folder] = append([]string{folder}, below...)
		return chains[folder]
	}
	var found []Finding
	for _, folder := range t.folders() {
		if c := longest(folder); counts(folder) && len(c) == depthMax+1 { // above it, only the first to break the rule is named
			found = append(found, findingf(folder, 0, "is %d packages above the ground, of %d allowed: %s", len(c), depthMax, strings.Join(c, " -> ")))
		}
	}
	return found
}

func checkBlankImports(t *tree) []Finding {
	var found []Finding
	for _, s := range t.sources {
		for spec, imported := range s.imports {
			if spec.Name != nil && spec.Name.Name == "_" && imported != "embed" && s.file.Name.Name != "main" {
				found = append(found, findingf(s.path, t.line(spec), "blank import of %s; only package main may, and embed anywhere", imported))
			}
		}
	}
	return found
}

// purePackages are the decisions. Their callers step them.
func purePackages() []string {
	return []string{
		"spec", "target/balance", "dns/policy", "l4/maglev",
		"l7/exchange", "l7/h2", "l7/http1", "l7/message", "l7/route",
	}
}

// impure is what a decision must not import, by why.
func impure() map[string]string {
	socket, file, system := "holds no socket", "reads no file", "makes no system call"
	return map[string]string{
		"net": socket, "net/http": socket, "crypto/tls": socket, module + "/internal/netx": socket,
		"os": file, "os/exec": "starts no process", "syscall": system, "golang.org/x/sys/unix": system,
		module + "/internal/clock": "is told the time",
	}
}

// importWhy says why an import is not for a decision, or nothing.
func importWhy(imported string) string {
	if why := impure()[imported]; why != "" {
		return fmt.Sprintf("imports %s; a decision %s", imported, why)
	}
	return ""
}
