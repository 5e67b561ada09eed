package filter

import (
	"cmp"
	"fmt"
	"strconv"
	"time"

	"portico/internal/bucket"
	"portico/l7/exchange"
	"portico/l7/kept"
	"portico/l7/limit"
	"portico/l7/message"
	"portico/spec"
)

// RateLimit is the parameters of rateLimit: a token bucket for each key, in the
// memory of each node.
type RateLimit struct {
	// Requests that may come in each Per.
	Requests int           `json:"requests" required:"true" range:"1..1000000"`
	Per      spec.Duration `json:"per,omitempty" default:"1s" range:"1s..24h"`
	// Burst is how many may come at once; none means Requests. A bucket that holds
	// none would let nothing through.
	Burst int `json:"burst,omitempty" range:"1..1000000"`
	// By is what requests are told apart by; none means the client.
	By     []limit.KeyPart `json:"by,omitempty"`
	Prefix limit.KeyPrefix `json:"prefix,omitzero"`
	// Keys is how many keys are promised memory; see limit.Buckets for what
	// happens beyond.
	Keys   int `json:"keys,omitempty" default:"50000" range:"100..10000000"`
	Status int `json:"status,omitempty" default:"429" range:"400..599"`
	// Name of the policy in the RateLimit fields.
	Name string `json:"name,omitempty" default:"default"`
	// Quiet leaves out the RateLimit fields; Retry-After stays.
	Quiet bool `json:"quiet,omitempty"`
	// DryRun only counts what would be refused.
	DryRun bool `json:"dryRun,omitempty"`
}

// Check refuses keys that no request has, and rates with no meaning.
func (p *RateLimit) Check() []spec.Problem {
	problems := limit.CheckKey(p.By)
	if p.Requests < 1 {
		problems = append(problems, spec.Problemf("requests", "%d requests are none; use 1 or more", p.Requests))
	}
	for _, c := range p.Name {
		// What may stand in a string (RFC 9651, section 3.3.3) without an escape.
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			problems = append(problems, spec.Problemf("name", "%q holds a character that a header may not; use letters, digits and -", p.Name))
			break
		}
	}
	if len(p.Name) > rateNameMax {
		problems = append(problems, spec.Problemf("name", "the name has %d bytes; at most %d are allowed", len(p.Name), rateNameMax))
	}
	return problems
}

const rateNameMax = 64

type rateLimit struct {
	*rateState
	p      RateLimit
	rate   bucket.Rate
	name   string // as a structured field's string
	policy []byte // the value of RateLimit-Policy
}

// rateState is what a limit holds beyond one spec.
type rateState struct {
	key     limit.Key
	buckets *limit.Buckets
	epoch   time.Time
}

func newRateLimit(params any) Filter {
	f := &rateLimit{p: *params.(*RateLimit)}
	p := &f.p
	p.Per = cmp.Or(p.Per, spec.Duration(time.Second))
	p.Burst = cmp.Or(p.Burst, p.Requests)
	p.Status = cmp.Or(p.Status, 429)
	p.Keys = cmp.Or(p.Keys, 50_000)
	if p.Name == "" {
		p.Name = "default"
	}
	f.rate = bucket.NewRate(p.Requests, p.Per.D(), p.Burst)
	f.name = strconv.Quote(p.Name)
	f.policy = fmt.Appendf(nil, "%s;q=%d;w=%d", f.name, p.Requests, seconds(p.Per.D()))
	return f
}

func (f *rateLimit) judges() {}

func (f *rateLimit) Made(k *kept.Store) any {
	return &rateState{
		key:     limit.NewKey(f.p.By, f.p.Prefix),
		buckets: limit.NewBuckets(f.rate, f.p.Keys), epoch: k.Epoch,
	}
}

func (f *rateLimit) Hold(made any) { f.rateState = made.(*rateState) }

const (
	rateAbove  = "rateLimit: above the rate"
	rateDryRun = "rateLimit: above the rate (dry run)"
)

var (
	nameRetry  = []byte("Retry-After")
	nameLimit  = []byte("RateLimit")
	namePolicy = []byte("RateLimit-Policy")
)

func (f *rateLimit) Request(req *message.Request, m Match, d *exchange.Decision) {
	var sum uint64
	sum, d.Scratch = f.key.Of(req, d.Scratch)
	if m.Visit == nil {
		if a := f.buckets.Peek(sum, m.Now.Sub(f.epoch)); !a.OK && !f.p.DryRun {
			reject(d, m, f.p.Status, rateAbove)
		}
		return
	}
	a := f.buckets.Take(sum, d.Now.Sub(f.epoch))
	switch {
	case !a.OK && f.p.DryRun:
		m.would(rateDryRun)
		return
	case !a.OK:
		from := len(d.Scratch)
		d.Scratch = strconv.AppendInt(d.Scratch, seconds(a.Retry), 10)
		refuse(d, m, f.p.Status, rateAbove, message.Field{Name: nameRetry, Value: keep(d, from)})
	default:
		m.note(Passed)
	}
	if !f.p.Quiet && !f.p.DryRun {
		m.Visit.mark().text = f.state(a, d)
	}
}

// state writes the value of the RateLimit field: how much is left, and in how many
// seconds all is there again (draft-ietf-httpapi-ratelimit-headers, section 4).
func (f *rateLimit) state(a bucket.Answer, d *exchange.Decision) []byte {
	from := len(d.Scratch)
	d.Scratch = append(append(d.Scratch, f.name...), ";r="...)
	d.Scratch = strconv.AppendInt(d.Scratch, int64(a.Left), 10)
	d.Scratch = append(d.Scratch, ";t="...)
	d.Scratch = strconv.AppendInt(d.Scratch, seconds(a.Full), 10)
	return keep(d, from)
}

// seconds rounds up, as who waits that long must not be early.
func seconds(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

func (f *rateLimit) Response(_ *message.Request, resp *message.Response, m Match, _ *exchange.Decision) {
	if state := m.Visit.mark().text; len(state) > 0 {
		resp.Fields = append(resp.Fields,
			message.Field{Name: namePolicy, Value: f.policy}, message.Field{Name: nameLimit, Value: state})
	}
}

func (f *rateLimit) Explain(req *message.Request, m Match) string {
	sum, _ := f.key.Of(req, nil)
	a := f.buckets.Peek(sum, m.Now.Sub(f.epoch))
	text := fmt.Sprintf("by %s, %d of %d may come now", f.key.Text(), a.Left, f.p.Burst)
	switch {
	case a.OK:
		return text
	case f.p.DryRun:
		return text + fmt.Sprintf(": would answer %d for %ds (dry run)", f.p.Status, seconds(a.Retry))
	}
	return text + fmt.Sprintf(": answers %d for %ds", f.p.Status, seconds(a.Retry))
}

// Rates counts what the limit holds; see kept.Store.
func (s *rateState) Rates(now time.Time) limit.Stats { return s.buckets.Stats(now.Sub(s.epoch)) }
