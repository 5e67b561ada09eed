package cli

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/netip"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"

	"portico/node"
	"portico/spec/status"
)

func explainVerb(io Streams) *cobra.Command {
	var socket, output, from, method string
	var headers []string
	var draw uint32
	c := &cobra.Command{
		Use:   "explain URL",
		Short: "Say where a request would go, and why, from name to target",
		Long: `Explain asks the porticos that run here what would become of a request: which
VIP its name is answered with, which node its flow is sent to, which rule takes
it, and which target. They answer from the tables that real traffic uses. What a
request would draw at random is drawn anew each time, unless --draw says from what.

  portico explain https://myapp.example.com:8443/api --from 203.0.113.7
  portico explain tcp://127.0.1.10:9000    (or udp://, of a flow)`,
		Args: exactly(1, "one URL"),
		RunE: func(c *cobra.Command, args []string) error {
			q := status.Question{URL: args[0], Method: strings.ToUpper(method), Draw: draw}
			for q.Draw == 0 {
				q.Draw = rand.Uint32() // one for all tiers
			}
			if err := fill(&q, from, headers); err != nil {
				return err
			}
			clients, err := every(c.Context(), socket)
			if err != nil {
				return err
			}
			at := make([]node.Explainer, len(clients))
			for i := range clients {
				at[i] = clients[i]
			}
			answers, err := node.Explain(at, "", q)
			if err != nil {
				return err
			}
			if output == "json" {
				return writeJSON(io.Out, answers)
			}
			return writeAnswers(widthWriter{io.Out, width(io.Out)}, answers)
		},
	}
	c.Flags().StringVar(&from, "from", "", "the client's address; 127.0.0.1 when not given")
	c.Flags().StringVar(&method, "method", "GET", "the request's method")
	c.Flags().Uint32Var(&draw, "draw", 0, "what is drawn at random is made from this number; anew when 0")
	c.Flags().StringArrayVarP(&headers, "header", "H", nil, "a header of the request, \"Name: value\"; may be repeated")
	socketFlag(c, &socket)
	outputFlag(c, &output)
	return c
}

func fill(q *status.Question, from string, headers []string) error {
	q.From = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	if from != "" {
		addr, err := netip.ParseAddr(from)
		if err != nil {
			return refusal{fmt.Errorf("--from %s: not an address; use one such as 203.0.113.7", from)}
		}
		q.From = addr
	}
	h := http.Header{}
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ":")
		if !ok {
			return refusal{fmt.Errorf("-H %q: no colon; use \"Name: value\"", line)}
		}
		h.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	if len(h) > 0 {
		q.Header = h
	}
	return nil
}

// writeAnswers draws the path, a tier at a time. A line too long for the terminal
// goes on below itself.
func writeAnswers(w widthWriter, answers []status.Answer) error {
	var b strings.Builder
	for i, a := range answers {
		if i > 0 {
			b.WriteString("  │\n")
		}
		fmt.Fprintf(&b, "%-4s %s\n", a.Tier, a.Node)
		writeWrapped(&b, "", a.Result, w.width)
		for _, l := range a.Lines {
			writeWrapped(&b, fmt.Sprintf("%s%-1s ", strings.Repeat("  ", l.Depth), l.Mark), l.Text, w.width)
		}
	}
	if len(answers) > 0 {
		last := answers[len(answers)-1]
		if len(last.Next) > 0 {
			fmt.Fprintf(&b, "  ▼\n%s\n", last.Next[0])
		} else {
			b.WriteString("  ■ ends here\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// columnsMin is the least that a wrapped text gets, however narrow the terminal.
const columnsMin = 24

// writeWrapped writes one thing that was weighed beside the path.
func writeWrapped(b *strings.Builder, before, text string, width int) {
	const path = "  │    "
	room := max(columnsMin, width-utf8.RuneCountInString(path+before))
	for _, line := range wrap(text, room) {
		b.WriteString(strings.TrimRight(path+before+line, " ") + "\n")
		before = strings.Repeat(" ", utf8.RuneCountInString(before))
	}
}

// wrap breaks a text at spaces into lines of at most so many columns, those after
// the first set in by two. A word that is longer is broken anywhere.
func wrap(text string, columns int) []string {
	const indent = "  "
	var lines []string
	line := ""
	for word := range strings.SplitSeq(text, " ") {
		switch {
		case line == "" && len(lines) == 0:
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= columns:
			line += " " + word
		default:
			lines = append(lines, line)
			line = indent + word
		}
		for utf8.RuneCountInString(line) > columns {
			runes := []rune(line)
			lines = append(lines, string(runes[:columns]))
			line = indent + string(runes[columns:])
		}
	}
	return append(lines, line)
}
