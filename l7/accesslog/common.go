package accesslog

import (
	"strconv"
)

// AppendCommon appends an entry in the Common Log Format, and after it the reason
// the request ended: client - - [time] "request" status bytes reason.
func AppendCommon(dst []byte, e *Entry) []byte {
	dst = e.Client.AppendTo(dst)
	dst = append(dst, " - - ["...)
	dst = e.Time.AppendFormat(dst, "02/Jan/2006:15:04:05 -0700")
	dst = append(dst, `] "`...)
	if len(e.Method) == 0 {
		dst = append(dst, '-')
	} else {
		dst = quote(dst, cut(e.Method, methodMax))
		dst = append(dst, ' ')
		dst = quote(dst, cut(e.Target, pathMax))
		dst = append(dst, " HTTP/"...)
		dst = strconv.AppendInt(dst, int64(e.Major), 10)
		dst = append(dst, '.')
		dst = strconv.AppendInt(dst, int64(e.Minor), 10)
	}
	dst = append(dst, `" `...)
	if e.Status == 0 {
		dst = append(dst, '-')
	} else {
		dst = strconv.AppendInt(dst, int64(e.Status), 10)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendInt(dst, e.BytesOut, 10)
	dst = append(dst, ' ')
	dst = append(dst, e.Why...)
	return append(dst, '\n')
}

// quote appends what may stand between quotes: printable ASCII, and \xHH for
// the rest, as Apache and nginx do.
func quote(dst, s []byte) []byte {
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c >= ' ' && c < 0x7f:
			dst = append(dst, c)
		default:
			dst = append(dst, '\\', 'x', hex[c>>4], hex[c&15])
		}
	}
	return dst
}
