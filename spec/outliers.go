package spec

// Outliers says when a target is ejected for how it answers, and how it comes
// back: it takes nothing until the ejection is over, then a few requests on trial,
// one at a time.
type Outliers struct {
	// Failures in a row eject a target: answers with 5xx, connections that fail or
	// are lost, answers that do not begin in time. 0 means that none do.
	Failures int `json:"failures" default:"5" range:"0..1000"`
	// SuccessRate ejects by the share of requests that went well.
	SuccessRate *SuccessRate `json:"successRate,omitempty"`
	// Latency ejects by the time until answers begin.
	Latency *LatencyOutlier `json:"latency,omitempty"`
	// Interval is over which SuccessRate and Latency count.
	Interval Duration `json:"interval,omitempty" default:"10s" range:"100ms..10m"`
	// EjectFor is how long a target is out the first time; each time more it is out
	// longer by as much, up to EjectMax.
	EjectFor Duration `json:"ejectFor,omitempty" default:"30s" range:"100ms..1h"`
	EjectMax Duration `json:"ejectMax,omitempty" default:"5m" range:"100ms..24h"`
	// MaxEjected is the share of the group's targets that may be out at a time, in
	// percent; of two or more targets one always may. The last is never ejected.
	MaxEjected int `json:"maxEjected" default:"30" range:"1..90"`
	// Trials is how many requests must go well before a target is wholly back.
	Trials int `json:"trials" default:"3" range:"1..100"`
}

// SuccessRate ejects targets that fail more than the others do.
type SuccessRate struct {
	// Deviations is how many standard deviations below the mean of the group.
	Deviations float64 `json:"deviations" default:"1.9" range:"0.5..10"`
	// Requests a target must have had in the interval to be judged.
	Requests int `json:"minRequests" default:"50" range:"1..1000000"`
	// Targets that must have had as many, for their mean to say anything.
	Targets int `json:"minTargets" default:"3" range:"2..4096"`
}

// LatencyOutlier ejects targets that are slower than the others.
type LatencyOutlier struct {
	// Factor is how many times slower than the median of the group.
	Factor float64 `json:"factor" default:"3" range:"1.1..100"`
	// Least is a mean time below which none is slow.
	Least Duration `json:"least,omitempty" default:"10ms" range:"0s..1m"`
	// Requests and Targets are as for SuccessRate.
	Requests int `json:"minRequests" default:"50" range:"1..1000000"`
	Targets  int `json:"minTargets" default:"3" range:"2..4096"`
}
