package health

import (
	"fmt"
	"strconv"
	"strings"
)

// codesDefault is what an http check takes for good unless it is told: what
// Route 53 does.
const codesDefault = "200-399"

// codeRange is one range of status codes, both ends included.
type codeRange struct{ low, high int }

// parseCodes reads codes and ranges of codes, such as 204 and 200-299.
func parseCodes(list []string) ([]codeRange, error) {
	ranges := make([]codeRange, 0, len(list))
	for _, text := range list {
		low, high, isRange := strings.Cut(text, "-")
		if !isRange {
			high = low
		}
		r := codeRange{low: code(low), high: code(high)}
		if r.low == 0 || r.high == 0 || r.low > r.high {
			return nil, fmt.Errorf("%q is not a status code or a range of them", text)
		}
		ranges = append(ranges, r)
	}
	return ranges, nil
}

// code reads a status code of three digits, 100 to 599, or returns 0.
func code(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || len(text) != 3 || n < 100 || n > 599 {
		return 0
	}
	return n
}

func wanted(ranges []codeRange, status int) bool {
	for _, r := range ranges {
		if r.low <= status && status <= r.high {
			return true
		}
	}
	return false
}
