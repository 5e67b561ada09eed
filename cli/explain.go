package cli

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"

	"github.com/spf13/cobra"

	"portico/node"
	"portico/spec/status"
)

func explainVerb(io Streams) *cobra.Command {
	var socket, output, from, method string
	var headers []string
	c := &cobra.Command{
		Use:   "explain URL",
		Short: "Say where a request would go, and why, from name to target",
		Long: `Explain asks the porticos that run here what would become of a request: which
VIP its name is answered with, which node its flow is sent to, which rule takes
it, and which target. They answer from the tables that real traffic uses.

  portico explain https://myapp.example.com:8443/api --from 203.0.113.7
  portico explain tcp://127.0.1.10:9000`,
		Args: exactly(1, "one URL"),
		RunE: func(c *cobra.Command, args []string) error {
			q := status.Question{URL: args[0], Method: strings.ToUpper(method)}
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
			return writeAnswers(io.Out, answers)
		},
	}
	c.Flags().StringVar(&from, "from", "", "the client's address; 127.0.0.1 when not given")
	c.Flags().StringVar(&method, "method", "GET", "the request's method")
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

// writeAnswers draws the path, a tier at a time.
func writeAnswers(w io.Writer, answers []status.Answer) error {
	var b strings.Builder
	for i, a := range answers {
		if i > 0 {
			b.WriteString("  │\n")
		}
		fmt.Fprintf(&b, "%-4s %s\n  │    %s\n", a.Tier, a.Node, a.Result)
		for _, l := range a.Lines {
			fmt.Fprintf(&b, "  │    %s%-1s %s\n", strings.Repeat("  ", l.Depth), l.Mark, l.Text)
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
