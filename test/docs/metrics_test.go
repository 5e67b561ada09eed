package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
)

// metricsPage lists every metric.
const metricsPage = "docs/reference/metrics.md"

// TestMetrics proves that the page lists exactly the metrics that a node with
// every role has, with their kinds and labels.
func TestMetrics(t *testing.T) {
	scraped := scrape(t)
	listed := map[string]bool{}
	for i, line := range strings.Split(read(t, metricsPage), "\n") {
		row := cells(line)
		if len(row) != 4 || row[0] == "Metric" {
			continue
		}
		name := strings.Trim(row[0], "`")
		if listed[name] {
			t.Errorf("%s:%d: %s is listed twice", metricsPage, i+1, name)
		}
		listed[name] = true
		f := scraped[name]
		if f == nil {
			t.Errorf("%s:%d: no node has %s", metricsPage, i+1, name)
			continue
		}
		if kind := strings.ToLower(f.GetType().String()); row[1] != kind {
			t.Errorf("%s:%d: %s is called a %s; it is a %s", metricsPage, i+1, name, row[1], kind)
		}
		got := quoted(row[2])
		slices.Sort(got)
		if want := labels(f); !slices.Equal(got, want) {
			t.Errorf("%s:%d: %s is said to have the labels %q; it has %q", metricsPage, i+1, name, got, want)
		}
		if row[3] != strings.TrimSuffix(f.GetHelp(), ".") {
			t.Errorf("%s:%d: %s is said to be %q; its help says %q", metricsPage, i+1, name, row[3], f.GetHelp())
		}
	}
	for name := range scraped {
		if !listed[name] {
			t.Errorf("%s does not list %s", metricsPage, name)
		}
	}
}

var metricPattern = regexp.MustCompile(`portico_[a-z0-9_]+\*?`)

// TestMetricsNamed proves that a metric that any document names exists.
func TestMetricsNamed(t *testing.T) {
	scraped := scrape(t)
	exists := func(named string) bool {
		prefix, many := strings.CutSuffix(named, "*")
		for name := range scraped {
			if name == named || many && strings.HasPrefix(name, prefix) {
				return true
			}
		}
		return false
	}
	for _, p := range pages(t) {
		for i, line := range p.lines {
			for _, named := range metricPattern.FindAllString(line, -1) {
				if !exists(named) {
					t.Errorf("%s:%d: no node has %s", p.path, i+1, named)
				}
			}
		}
	}
}

// announcing is a node that would announce a VIP, had it a listener to serve; its
// router is not there.
const announcing = `portico: v1
sites:
  - name: lab
    nodes: [{name: edge, address: 127.0.5.9, roles: [vip, l4], interface: lo}]
    bgp: {as: 65001, peers: [{address: 127.0.5.10, as: 65000, bfd: {interval: 1s}}]}
vips: [{name: idle, announce: arp, addresses: {lab: [198.51.100.1]}}]
`

// scrape gathers the metrics of a node with every role but vip, and of one with
// that, by name.
func scrape(t *testing.T) map[string]*dto.MetricFamily {
	t.Helper()
	from := source(t, "aws.yaml", relocate(read(t, "examples/aws.yaml")))
	_, metrics, stop := start(t, from, "front-1")
	defer stop()
	families, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	_, metrics, stopEdge := start(t, source(t, "edge.yaml", announcing), "edge")
	defer stopEdge()
	more, err := metrics.Gather()
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string]*dto.MetricFamily{}
	for _, f := range more {
		byName[f.GetName()] = f
	}
	for _, f := range families {
		byName[f.GetName()] = f
	}
	return byName
}

// labels lists the labels of a family, in the order of the alphabet.
func labels(f *dto.MetricFamily) []string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, l.GetName())
	}
	slices.Sort(names)
	return names
}
