package poll

// Watched are the sockets of one loop, by their tokens, each with whatever is told of
// its events. The zero value has none.
type Watched[T any] struct {
	places []place[T] // by the lower half of a token
	free   []uint32   // unused places
	age    uint32     // the upper half: makes the tokens of a place differ
}

// place is one of them; age is 0 while nobody has it.
type place[T any] struct {
	age uint32
	who T
}

// Add has p watch a socket for who. The token is not 0, but on an error.
func (w *Watched[T]) Add(p Poller, fd int, who T) (Token, error) {
	var i uint32
	if n := len(w.free); n > 0 {
		i, w.free = w.free[n-1], w.free[:n-1]
	} else {
		i = uint32(len(w.places))
		w.places = append(w.places, place[T]{})
	}
	if w.age++; w.age == 0 {
		w.age = 1
	}
	t := Token(w.age)<<32 | Token(i)
	w.places[i] = place[T]{w.age, who}
	if err := p.Add(fd, t); err != nil {
		w.forget(t)
		return 0, err
	}
	return t, nil
}

// Remove has p no longer watch a socket, which is about to be closed. A token of 0 is
// that of one that is not watched.
func (w *Watched[T]) Remove(p Poller, fd int, t Token) {
	if t == 0 {
		return
	}
	p.Remove(fd, t)
	w.forget(t)
}

func (w *Watched[T]) forget(t Token) {
	i := uint32(t)
	w.places[i] = place[T]{}
	w.free = append(w.free, i)
}

// Who is told of the events of a token; nil when that is over. It is valid until the
// next Add.
func (w *Watched[T]) Who(t Token) *T {
	if i := uint32(t); int(i) < len(w.places) {
		if at := &w.places[i]; at.age != 0 && at.age == uint32(t>>32) {
			return &at.who
		}
	}
	return nil
}
