package hpack

import "strconv"

// AppendStatus writes the :status of a response, from 100 to 999.
func AppendStatus(dst []byte, status int) []byte {
	switch status {
	case 200:
		return append(dst, 0x80|byte(status200))
	case 204, 206, 304, 400, 404, 500:
		for i := int(status200); ; i++ {
			if v := static[i-1].Value; int(v[0]-'0')*100+int(v[1]-'0')*10+int(v[2]-'0') == status {
				return append(dst, 0x80|byte(i))
			}
		}
	}
	dst = append(dst, byte(status200), 3)
	return strconv.AppendInt(dst, int64(status), 10)
}

// AppendMethod writes the :method of a request.
func AppendMethod(dst, method []byte) []byte {
	switch string(method) {
	case "GET":
		return append(dst, 0x80|byte(get))
	case "POST":
		return append(dst, 0x80|byte(post))
	}
	return appendString(append(dst, byte(get)), method)
}

// AppendScheme writes the :scheme of a request.
func AppendScheme(dst []byte, tls bool) []byte {
	if tls {
		return append(dst, 0x80|byte(https))
	}
	return append(dst, 0x80|byte(http))
}

// AppendPath writes the :path of a request, which is path and, where it has one, ?
// and query.
func AppendPath(dst, path, query []byte, hasQuery bool) []byte {
	if !hasQuery {
		if string(path) == "/" {
			return append(dst, 0x80|byte(root))
		}
		return appendString(append(dst, byte(root)), path)
	}
	dst = appendNumber(append(dst, byte(root)), 7, 0, uint64(len(path)+1+len(query)))
	dst = append(append(dst, path...), '?')
	return append(dst, query...)
}

// AppendLength writes a Content-Length.
func AppendLength(dst []byte, n int64) []byte {
	dst = append(dst, 0x0f, byte(length)-0x0f, 0)
	at := len(dst)
	dst = strconv.AppendInt(dst, n, 10)
	dst[at-1] = byte(len(dst) - at)
	return dst
}

// AppendIndexed writes a field whose name is in the static table.
func AppendIndexed(dst []byte, name Index, value []byte) []byte {
	kind := byte(0)
	if sensitive(name) {
		kind = 0x10 // never indexed (RFC 7541, section 7.1.3)
	}
	return appendString(appendNumber(dst, 4, kind, uint64(name)), value)
}

// Append writes a field, its name in lower case. Letters in upper case would make
// the message malformed (RFC 9113, section 8.2).
func Append(dst, name, value []byte) []byte {
	if i := Find(name); i > 0 {
		return AppendIndexed(dst, i, value)
	}
	dst = append(dst, 0)
	dst = appendNumber(dst, 7, 0, uint64(len(name)))
	at := len(dst)
	dst = append(dst, name...)
	for i, c := range dst[at:] {
		dst[at+i] = folded[c]
	}
	return appendString(dst, value)
}

// sensitive reports names whose values nobody on the way should put in a table.
func sensitive(name Index) bool {
	switch string(static[name-1].Name) {
	case "authorization", "proxy-authorization", "cookie", "set-cookie":
		return true
	}
	return false
}

// appendString writes a string as it is.
func appendString(dst, s []byte) []byte {
	dst = appendNumber(dst, 7, 0, uint64(len(s)))
	return append(dst, s...)
}

// appendNumber writes an integer after the bits of first.
func appendNumber(dst []byte, prefix int, first byte, n uint64) []byte {
	most := uint64(1)<<prefix - 1
	if n < most {
		return append(dst, first|byte(n))
	}
	dst = append(dst, first|byte(most))
	for n -= most; n >= 0x80; n >>= 7 {
		dst = append(dst, byte(n)|0x80)
	}
	return append(dst, byte(n))
}
