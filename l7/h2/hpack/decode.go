package hpack

import (
	"errors"

	"portico/l7/message"
)

// TableSize is how large a peer's table may be unless agreed on otherwise (RFC
// 9113, section 6.5.2).
const TableSize = 4096

// Errors of Decode. All but ErrTooLarge leave the table unlike the peer's, so the
// connection must end (RFC 9113, section 4.3).
var (
	// ErrTooLarge says that the list is larger than its limits; the block was read
	// to its end nevertheless, and what was beyond is left out.
	ErrTooLarge = errors.New("hpack: header list too large")

	errShort  = errors.New("hpack: block ends within a field")
	errIndex  = errors.New("hpack: index beyond the tables")
	errNumber = errors.New("hpack: number too large")
	errResize = errors.New("hpack: table size")
	errString = errors.New("hpack: string")
	errBomb   = errors.New("hpack: header list many times too large")
)

// bombFactor is how many times the limit a list may be before the connection ends.
// A short block that names a long entry often is work for the reader alone.
const bombFactor = 4

// Limits bound one header list.
type Limits struct {
	Octets int // of names and values, and 32 for each field (RFC 9113, section 10.5.1)
	Fields int
}

// Decoder reads the header blocks of one direction of a connection.
type Decoder struct {
	table table
}

// Reset makes d ready for a connection.
func (d *Decoder) Reset() {
	d.table.evict(d.table.max + 1)
	d.table.max = TableSize
}

// Decode appends the fields of a whole block to fields, and what they are slices
// of to octets, unless it is of the static table, which must not be written to.
func (d *Decoder) Decode(fields []message.Field, octets, block []byte, lim Limits) ([]message.Field, []byte, error) {
	r := reading{d: d, fields: fields, octets: octets, in: block, lim: lim, started: len(fields)}
	for len(r.in) > 0 {
		if err := r.field(); err != nil {
			return r.fields, r.octets, err
		}
		if r.size > bombFactor*r.lim.Octets {
			return r.fields, r.octets, errBomb
		}
	}
	if r.large {
		return r.fields, r.octets, ErrTooLarge
	}
	return r.fields, r.octets, nil
}

// reading is one call of Decode.
type reading struct {
	d       *Decoder
	fields  []message.Field
	octets  []byte
	in      []byte
	lim     Limits
	started int // fields before this block
	size    int
	begun   bool // a field was there: no size of the table may follow
	large   bool
}

// field reads one representation (RFC 7541, section 6).
func (r *reading) field() error {
	switch c := r.in[0]; {
	case c&0x80 != 0:
		index, err := r.number(7)
		if err != nil {
			return err
		}
		return r.indexed(index)
	case c&0xc0 == 0x40:
		return r.literal(6, true)
	case c&0xe0 == 0x20:
		return r.resize()
	default: // without indexing, or never
		return r.literal(4, false)
	}
}

// resize follows a change of the table's size, which may only stand first.
func (r *reading) resize() error {
	size, err := r.number(5)
	if err != nil {
		return err
	}
	if r.begun || size > TableSize {
		return errResize
	}
	r.d.table.resize(int(size))
	return nil
}

// indexed yields an entry of a table.
func (r *reading) indexed(index uint64) error {
	r.begun = true
	if index >= 1 && index <= uint64(staticSize) {
		f := &static[index-1]
		if r.fits(len(f.Name) + len(f.Value)) {
			r.fields = append(r.fields, *f)
		}
		return nil
	}
	name, value, ok := r.d.table.get(index - uint64(staticSize))
	if !ok || index == 0 {
		return errIndex
	}
	if r.fits(len(name) + len(value)) {
		r.fields = append(r.fields, message.Field{Name: r.copy(name), Value: r.copy(value)})
	}
	return nil
}

// literal yields a field whose value is written out, and perhaps its name.
func (r *reading) literal(prefix int, add bool) error {
	r.begun = true
	index, err := r.number(prefix)
	if err != nil {
		return err
	}
	mark := len(r.octets)
	name, err := r.name(index)
	if err != nil {
		return err
	}
	value, err := r.string()
	if err != nil {
		return err
	}
	if add {
		r.d.table.add(name, value)
	}
	if !r.fits(len(name) + len(value)) {
		r.octets = r.octets[:mark]
		return nil
	}
	r.fields = append(r.fields, message.Field{Name: name, Value: value})
	return nil
}

// name is that of an index, or written out where the index is 0.
func (r *reading) name(index uint64) ([]byte, error) {
	switch {
	case index == 0:
		return r.string()
	case index <= uint64(staticSize):
		return static[index-1].Name, nil
	}
	name, _, ok := r.d.table.get(index - uint64(staticSize))
	if !ok {
		return nil, errIndex
	}
	return r.copy(name), nil
}

// string reads a string (RFC 7541, section 5.2).
func (r *reading) string() ([]byte, error) {
	if len(r.in) == 0 {
		return nil, errShort
	}
	packed := r.in[0]&0x80 != 0
	n, err := r.number(7)
	if err != nil {
		return nil, err
	}
	if n > uint64(len(r.in)) {
		return nil, errShort
	}
	in := r.in[:n]
	r.in = r.in[n:]
	if !packed {
		return r.copy(in), nil
	}
	at := len(r.octets)
	if r.octets, err = appendHuffman(r.octets, in); err != nil {
		return nil, errString
	}
	return r.octets[at:len(r.octets):len(r.octets)], nil
}

// copy keeps a string in the caller's memory.
func (r *reading) copy(s []byte) []byte {
	at := len(r.octets)
	r.octets = append(r.octets, s...)
	return r.octets[at:len(r.octets):len(r.octets)]
}

// fits counts a field, and reports whether the list may have it.
func (r *reading) fits(n int) bool {
	r.size += n + entryCost
	if r.size > r.lim.Octets || len(r.fields)-r.started >= r.lim.Fields {
		r.large = true
	}
	return !r.large
}

// number reads an integer that begins in the low bits of the next octet (RFC 7541,
// section 5.1).
func (r *reading) number(prefix int) (uint64, error) {
	if len(r.in) == 0 {
		return 0, errShort
	}
	most := uint64(1)<<prefix - 1
	n := uint64(r.in[0]) & most
	r.in = r.in[1:]
	if n < most {
		return n, nil
	}
	for shift := 0; shift <= 28; shift += 7 {
		if len(r.in) == 0 {
			return 0, errShort
		}
		c := r.in[0]
		r.in = r.in[1:]
		n += uint64(c&0x7f) << shift
		if c&0x80 == 0 {
			return n, nil
		}
	}
	return 0, errNumber
}
