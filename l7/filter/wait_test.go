package filter_test

import (
	"slices"
	"testing"
	"time"

	"portico/l7/exchange"
	"portico/l7/filter"
	"portico/l7/message"
)

// later is a filter that has each request wait some times.
type later struct {
	name string
	saw  *[]string
	wait int // how often
	fix  bool
}

func (l *later) Request(_ *message.Request, _ filter.Match, d *exchange.Decision) {
	*l.saw = append(*l.saw, l.name)
	d.Pending = l.wait > 0
}

func (l *later) Resume(_ *message.Request, _ filter.Match, d *exchange.Decision, _ time.Time) {
	*l.saw = append(*l.saw, l.name+" again")
	if l.wait--; l.wait > 0 {
		d.Pending = true
	} else if l.fix {
		d.Fixed = &exchange.Fixed{Status: 401}
	}
}

func (l *later) Response(*message.Request, *message.Response, filter.Match, *exchange.Decision) {
	*l.saw = append(*l.saw, l.name+" response")
}

func (l *later) Explain(*message.Request, filter.Match) string { return "waits" }

// TestChainWaits proves that a chain goes on with the filter that had the request
// wait, that no filter sees it twice, and that none after it sees it sooner.
func TestChainWaits(t *testing.T) {
	tests := []struct {
		name    string
		filters []later
		want    []string
	}{
		{"none waits", []later{{name: "a"}, {name: "b"}}, []string{"a", "b"}},
		{"the first", []later{{name: "a", wait: 1}, {name: "b"}}, []string{"a", "wait", "a again", "b"}},
		{"the last, twice", []later{{name: "a"}, {name: "b", wait: 2}}, []string{"a", "b", "wait", "b again", "wait", "b again"}},
		{
			"both",
			[]later{{name: "a", wait: 1}, {name: "b", wait: 1}, {name: "c"}},
			[]string{"a", "wait", "a again", "b", "wait", "b again", "c"},
		},
		{
			"one that answers then",
			[]later{{name: "a", wait: 1, fix: true}, {name: "b"}},
			[]string{"a", "wait", "a again", "a response", "b response"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var saw []string
			var filters []filter.Filter
			for i := range tt.filters {
				tt.filters[i].saw = &saw
				filters = append(filters, &tt.filters[i])
			}
			c, d, m := filter.ChainOf(filters...), &exchange.Decision{}, match
			m.Visit = &filter.Visit{}
			c.Request(request(), m, d)
			for d.Pending {
				saw = append(saw, "wait")
				d.Pending = false
				c.Resume(request(), m, d, time.Time{})
			}
			if !slices.Equal(saw, tt.want) {
				t.Errorf("saw %q, want %q", saw, tt.want)
			}
		})
	}
}
