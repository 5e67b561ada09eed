package accesslog

import (
	"strconv"
	"time"
	"unicode/utf8"
)

// AppendJSON appends an entry as one JSON object and a newline. What is unknown
// is left out. Durations are in seconds.
func AppendJSON(dst []byte, e *Entry) []byte {
	dst = append(dst, `{"time":"`...)
	dst = stamp(dst, e.Time)
	dst = append(dst, '"')
	dst = text(dst, "listener", e.Listener)
	dst = append(dst, `,"client":"`...)
	dst = e.Client.AppendTo(dst)
	dst = append(dst, '"')
	dst = text(dst, "method", cut(e.Method, methodMax))
	dst = text(dst, "host", cut(e.Host, hostMax))
	dst = text(dst, "path", cut(e.Target, pathMax))
	dst = text(dst, "protocol", protocol(e))
	dst = number(dst, "status", int64(e.Status))
	dst = number(dst, "bytesIn", e.BytesIn)
	dst = number(dst, "bytesOut", e.BytesOut)
	dst = seconds(dst, "duration", e.Total)
	dst = seconds(dst, "wait", e.Wait)
	if e.Held > 0 {
		dst = seconds(dst, "held", e.Held)
	}
	if e.Address.IsValid() {
		dst = seconds(dst, "connect", e.Connect)
		dst = seconds(dst, "firstByte", e.FirstByte)
	}
	if e.Route != "" {
		dst = text(dst, "route", e.Route)
		dst = number(dst, "rule", int64(e.Rule))
	}
	dst = text(dst, "targetGroup", e.Group)
	if e.Address.IsValid() {
		dst = append(dst, `,"target":"`...)
		dst = e.Address.AppendTo(dst)
		dst = append(dst, '"')
		dst = number(dst, "retries", int64(e.Retries))
	}
	dst = text(dst, "id", e.ID)
	dst = text(dst, "reason", e.Why)
	dst = text(dst, "detail", cut(e.Detail, detailMax))
	dst = text(dst, "tls", e.TLS)
	return append(dst, "}\n"...)
}

// protocol is the version of HTTP that a head came by; empty where none could be read.
func protocol(e *Entry) string {
	switch {
	case len(e.Method) == 0:
		return ""
	case e.Major == 1 && e.Minor == 0:
		return "HTTP/1.0"
	case e.Major == 1:
		return "HTTP/1.1"
	case e.Major == 2:
		return "HTTP/2"
	}
	return "HTTP/3"
}

// stamp appends a time in UTC to the millisecond, as RFC 3339 has it; Time's own
// formatting costs as much as the rest of a line.
func stamp(dst []byte, t time.Time) []byte {
	t = t.UTC()
	year, month, day := t.Date()
	hour, minute, second := t.Clock()
	dst = digits(dst, year, 4)
	dst = digits(append(dst, '-'), int(month), 2)
	dst = digits(append(dst, '-'), day, 2)
	dst = digits(append(dst, 'T'), hour, 2)
	dst = digits(append(dst, ':'), minute, 2)
	dst = digits(append(dst, ':'), second, 2)
	dst = digits(append(dst, '.'), t.Nanosecond()/1e6, 3)
	return append(dst, 'Z')
}

// digits appends n with leading zeros.
func digits(dst []byte, n, width int) []byte {
	for unit := [...]int{1, 10, 100, 1000}[width-1]; unit > 0; unit /= 10 {
		dst = append(dst, byte('0'+n/unit%10))
	}
	return dst
}

// text appends ,"key":"value" unless the value is empty.
func text[T ~string | ~[]byte](dst []byte, key string, value T) []byte {
	if len(value) == 0 {
		return dst
	}
	dst = append(dst, `,"`...)
	dst = append(dst, key...)
	dst = append(dst, `":"`...)
	dst = escape(dst, value)
	return append(dst, '"')
}

func number(dst []byte, key string, n int64) []byte {
	dst = append(dst, `,"`...)
	dst = append(dst, key...)
	dst = append(dst, `":`...)
	return strconv.AppendInt(dst, n, 10)
}

// seconds appends a duration to the microsecond.
func seconds(dst []byte, key string, d time.Duration) []byte {
	us := max(d.Microseconds(), 0)
	dst = number(dst, key, us/1e6)
	frac := us % 1e6
	if frac == 0 {
		return dst
	}
	dst = append(dst, '.')
	for unit := int64(1e5); frac > 0; unit /= 10 {
		dst = append(dst, byte('0'+frac/unit))
		frac %= unit
	}
	return dst
}

const hex = "0123456789abcdef"

// escape appends a string as it stands between quotes in JSON (RFC 8259, section
// 7). What could move a terminal's cursor or split a line for some reader is
// escaped, and a byte that is no UTF-8 becomes U+FFFD.
func escape[T ~string | ~[]byte](dst []byte, s T) []byte {
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
			i++
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
			i++
		case c < ' ' || c == 0x7f:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			i++
		default:
			var buf [utf8.UTFMax]byte
			r, n := utf8.DecodeRune(buf[:copy(buf[:], s[i:])])
			switch {
			case r < 0xa0 || r == 0x2028 || r == 0x2029 || r == utf8.RuneError:
				dst = append(dst, '\\', 'u', hex[r>>12&15], hex[r>>8&15], hex[r>>4&15], hex[r&15])
			default:
				dst = append(dst, buf[:n]...)
			}
			i += n
		}
	}
	return dst
}
