// Package pages chooses the body that goes with a status: which page of a spec, and
// which of its kinds the client would rather read.
//
// What comes in: pages by status, compiled from a spec, and the Accept fields of a
// request. What goes out: one body. It does no I/O and allocates nothing for a
// request. Start reading at Set.Choose.
package pages

import (
	"fmt"
	"strconv"
	"strings"

	"portico/l7/message"
)

// Status is one status of an error, or all of a class: 404 or 5xx.
type Status struct{ Low, High int }

// UnmarshalText reads "404", "4xx" or "5xx".
func (s *Status) UnmarshalText(text []byte) error {
	switch t := string(text); {
	case strings.EqualFold(t, "4xx"):
		*s = Status{400, 499}
		return nil
	case strings.EqualFold(t, "5xx"):
		*s = Status{500, 599}
		return nil
	default:
		n, err := strconv.Atoi(t)
		if err != nil || n < 400 || n > 599 || len(t) != 3 {
			return fmt.Errorf("%q is not the status of an error; use 400 to 599, 4xx or 5xx", t)
		}
		*s = Status{n, n}
		return nil
	}
}

// String writes the status as it is read.
func (s Status) String() string {
	if s.Low != s.High {
		return fmt.Sprintf("%dxx", s.Low/100)
	}
	return strconv.Itoa(s.Low)
}

// MarshalText writes the status as it is read.
func (s Status) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Kind is a kind of body.
type Kind uint8

// The kinds of bodies, in the order in which the first wins among equals.
const (
	HTML Kind = iota
	JSON
	Text
	kinds
)

// types are the content types of the kinds.
var types = [kinds]string{"text/html", "application/json", "text/plain"}

// ContentType is what a body of the kind is sent as.
func (k Kind) ContentType() string {
	if k == JSON {
		return types[k]
	}
	return types[k] + "; charset=utf-8"
}

// Page is what goes with some statuses. T is a body.
type Page[T any] struct {
	Statuses []Status
	// Bodies by their kind; nil for those that there are not.
	Bodies [kinds]*T
}

// Set is the pages of one rule.
type Set[T any] []Page[T]

// Choose returns the body for a status, as the client would have it. Several says
// that another client may be sent another one. Body is nil when no page is for the
// status. A page for one status goes before one for its class, then the first wins.
func (s Set[T]) Choose(status int, fields []message.Field) (body *T, kind Kind, several bool) {
	var page *Page[T]
	width := 0
	for i := range s {
		for _, x := range s[i].Statuses {
			if w := x.High - x.Low + 1; x.Low <= status && status <= x.High && (page == nil || w < width) {
				page, width = &s[i], w
			}
		}
	}
	if page == nil {
		return nil, 0, false
	}
	var offers [kinds]bool
	n := 0
	for k, b := range page.Bodies {
		if offers[k] = b != nil; b != nil {
			n++
		}
	}
	kind = prefer(fields, offers)
	return page.Bodies[kind], kind, n > 1
}
