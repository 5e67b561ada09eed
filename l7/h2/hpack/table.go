package hpack

// entryCost is what an entry of a table counts beside its octets (RFC 7541,
// section 4.1).
const entryCost = 32

// table is a dynamic table: the newest entry has index 1. Octets and places of
// entries lie in order of their age; what was evicted is moved over seldom.
type table struct {
	octets []byte
	places []place
	gone   int // places[:gone] were evicted
	size   int
	max    int
}

// place is where an entry lies in octets.
type place struct{ at, name, value uint32 }

// get returns an entry; ok is false where there is none.
func (t *table) get(index uint64) (name, value []byte, ok bool) {
	if index < 1 || index > uint64(len(t.places)-t.gone) {
		return nil, nil, false
	}
	p := t.places[len(t.places)-int(index)]
	end := p.at + p.name
	return t.octets[p.at:end], t.octets[end : end+p.value], true
}

// resize sets how large the table may be, and evicts what is too much.
func (t *table) resize(size int) {
	t.max = size
	t.evict(0)
}

// evict makes room for an entry of that size.
func (t *table) evict(size int) {
	for t.gone < len(t.places) && t.size+size > t.max {
		p := &t.places[t.gone]
		t.size -= int(p.name+p.value) + entryCost
		t.gone++
	}
	if t.gone == len(t.places) {
		t.octets, t.places, t.gone = t.octets[:0], t.places[:0], 0
	}
}

// add puts an entry first. One that is larger than the table empties it (RFC 7541,
// section 4.4). The name may be one of the table's own.
func (t *table) add(name, value []byte) {
	size := len(name) + len(value) + entryCost
	if size > t.max {
		t.evict(t.max + 1)
		return
	}
	t.evict(size)
	t.compact(size)
	at := len(t.octets)
	t.octets = append(append(t.octets, name...), value...)
	t.places = append(t.places, place{at: uint32(at), name: uint32(len(name)), value: uint32(len(value))})
	t.size += size
}

// compact moves what is left over what was evicted, when that is as much.
func (t *table) compact(size int) {
	if t.gone == 0 || len(t.octets)+size <= 2*t.max && t.gone <= t.max/entryCost {
		return
	}
	from := t.places[t.gone].at
	t.octets = append(t.octets[:0], t.octets[from:]...)
	t.places = append(t.places[:0], t.places[t.gone:]...)
	t.gone = 0
	for i := range t.places {
		t.places[i].at -= from
	}
}
