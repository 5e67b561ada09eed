package pipe_test

import (
	"testing"

	"portico/l4/relay/pipe"
)

// A pool has no more pipes than its share of the files; those that are empty are used
// again, and one with bytes in it makes room for another.
func TestPool(t *testing.T) {
	var p pipe.Pool
	p.Init(2*16*2*2, 2) // room for four pipes, of two loops
	defer p.Close()
	one, two := p.Get(), p.Get()
	if one == nil || two == nil || p.Get() != nil || p.Made() != 2 {
		t.Fatalf("%v, %v, and %d made, want two and no more", one, two, p.Made())
	}
	p.Put(one, true)
	if again := p.Get(); again != one {
		t.Errorf("%v is had in place of %v, which is free", again, one)
	}
	p.Put(two, false)
	if other := p.Get(); other == nil || p.Made() != 2 {
		t.Errorf("%v is had, and %d are made, want a new one in place of that with bytes", other, p.Made())
	} else {
		p.Put(other, true)
	}
	p.Put(one, true)
}
