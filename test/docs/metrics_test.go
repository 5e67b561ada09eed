package docs

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"

	"portico/l4/xdp"
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
	for _, f := range append(families, inKernel(t)...) {
		byName[f.GetName()] = f
	}
	return byName
}

// inKernel are the metrics of flows in the kernel, as their collector describes them:
// to have them takes root.
func inKernel(t *testing.T) []*dto.MetricFamily {
	t.Helper()
	var all describer
	xdp.New(xdp.Options{Self: "none", Metrics: &all})
	var families []*dto.MetricFamily
	for _, d := range all {
		is := descPattern.FindStringSubmatch(d)
		if is == nil {
			t.Fatalf("unknown description: %s", d)
		}
		f := &dto.MetricFamily{Name: &is[1], Help: &is[2], Type: dto.MetricType_COUNTER.Enum(), Metric: []*dto.Metric{{}}}
		for label := range strings.SplitSeq(is[3], ",") {
			f.Metric[0].Label = append(f.Metric[0].Label, &dto.LabelPair{Name: &label})
		}
		families = append(families, f)
	}
	return families
}

var descPattern = regexp.MustCompile(`^Desc{fqName: "(.*?)", help: "(.*?)\.?", .*variableLabels: {(.*)}}$`)

// describer keeps what collectors that are registered with it describe.
type describer []string

// Register is of prometheus.Registerer.
func (d *describer) Register(c prometheus.Collector) error {
	to := make(chan *prometheus.Desc)
	go func() { c.Describe(to); close(to) }()
	for desc := range to {
		*d = append(*d, desc.String())
	}
	return nil
}

// MustRegister is of prometheus.Registerer.
func (d *describer) MustRegister(all ...prometheus.Collector) {
	for _, c := range all {
		_ = d.Register(c)
	}
}

// Unregister is of prometheus.Registerer.
func (*describer) Unregister(prometheus.Collector) bool { return false }

// labels lists the labels of a family, in the order of the alphabet.
func labels(f *dto.MetricFamily) []string {
	var names []string
	for _, l := range f.GetMetric()[0].GetLabel() {
		names = append(names, l.GetName())
	}
	slices.Sort(names)
	return names
}
