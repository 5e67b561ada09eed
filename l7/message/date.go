package message

import "time"

// dateLayout is IMF-fixdate (RFC 9110, section 5.6.7), of a time in UTC.
const dateLayout = "Mon, 02 Jan 2006 15:04:05 GMT"

var nameDate = []byte("Date")

// Date keeps the text of a date, which changes once a second.
type Date struct {
	second int64
	text   [len(dateLayout)]byte
}

// Field is the Date of a message that is made now (RFC 9110, section 6.6.1). It is good
// until Field is called again.
func (d *Date) Field(now time.Time) Field {
	if s := now.Unix(); s != d.second || d.text[0] == 0 {
		d.second = s
		now.UTC().AppendFormat(d.text[:0], dateLayout)
	}
	return Field{Name: nameDate, Value: d.text[:]}
}

// Complete adds a Date to the fields of a final response that has none, be it made here
// or forwarded (RFC 9110, section 6.6.1). It is good until Field or Complete is called again.
func (d *Date) Complete(fields []Field, now time.Time) []Field {
	if Get(fields, "date") != nil {
		return fields
	}
	return append(fields, d.Field(now))
}
