package spec

// SlowStart lets a target that became healthy, is back from an ejection or is new
// take its share little by little: its weight grows in ten steps.
type SlowStart struct {
	// For is how long it takes until the weight is whole.
	For Duration `json:"for" required:"true" range:"1s..1h"`
	// From is the percentage of the weight it begins with.
	From int `json:"from" default:"10" range:"1..100"`
}
