package balance

import (
	"fmt"
	"math"
)

// Score is what a choice weighs of one candidate.
type Score struct {
	// Rank orders the candidates: the one that is chosen has the lowest there is.
	// One that this choice does not look at has +Inf.
	Rank float64
	// Text says it in words.
	Text string
}

// Out reports that the choice does not look at the candidate.
func (s Score) Out() bool { return math.IsInf(s.Rank, 1) }

func out(format string, args ...any) Score {
	return Score{Rank: math.Inf(1), Text: fmt.Sprintf(format, args...)}
}

func rank(r float64, format string, args ...any) Score {
	return Score{Rank: r, Text: fmt.Sprintf(format, args...)}
}

// ordinal writes 1st, 2nd, 3rd, 4th.
func ordinal(n int) string {
	suffix := "th"
	if n/10%10 != 1 {
		switch n % 10 {
		case 1:
			suffix = "st"
		case 2:
			suffix = "nd"
		case 3:
			suffix = "rd"
		}
	}
	return fmt.Sprint(n, suffix)
}

// percent is the share of a candidate on the line, for people.
func (s *shares) percent(i int) string {
	return fmt.Sprintf("%.3g %%", 100*float64(s.width(i))/float64(s.total()))
}
