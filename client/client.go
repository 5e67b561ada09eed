// Package client speaks to a running Portico over its API: on the unix socket
// of a process, where everything may be asked and changed, or on its TCP admin
// address, where everything may be read.
//
// It holds the shapes of the API that are not in spec or spec/status. The
// package is stable; the rest of Portico is not.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"portico/spec"
	"portico/spec/status"
)

// Applied is the outcome of Apply.
type Applied struct {
	// Generation counts the specs the process has applied since its start.
	Generation uint64 `json:"generation"`
	// Warnings did not stop it.
	Warnings []spec.Located `json:"warnings,omitempty"`
}

// Error is what the API answers when it refuses.
type Error struct {
	Message string `json:"error"`
	// Problems are those of a spec that was refused.
	Problems []spec.Located `json:"problems,omitempty"`
	// Text is Problems as they are printed, with excerpts.
	Text string `json:"text,omitempty"`
}

// Refused is the Error about a spec with problems, given also as they are printed.
func Refused(problems []spec.Located, text string) *Error {
	return &Error{Message: "the spec has problems; nothing was changed", Problems: problems, Text: text}
}

// Error is the message.
func (e *Error) Error() string { return e.Message }

// Timeout bounds one call of a Client.
const Timeout = 30 * time.Second

// answerMax bounds what is read of an answer.
const answerMax = 64 << 20

// Client speaks to one process. It is safe for concurrent use and holds no
// connection between calls.
type Client struct {
	http *http.Client
	base string
	name string
}

// Unix returns a client for a process's unix socket.
func Unix(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}
	return &Client{
		http: &http.Client{Timeout: Timeout, Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
		base: "http://localhost",
		name: socket,
	}
}

// TCP returns a client for an admin address, which answers reads only.
func TCP(addr string) *Client {
	return &Client{
		http: &http.Client{Timeout: Timeout, Transport: &http.Transport{DisableKeepAlives: true}},
		base: "http://" + addr,
		name: addr,
	}
}

// Status asks every node of the process how it is.
func (c *Client) Status(ctx context.Context) ([]status.Node, error) {
	var nodes []status.Node
	err := c.call(ctx, http.MethodGet, "/v1/status", nil, &nodes)
	return nodes, err
}

// Explain asks what would become of a request, at all tiers of the process.
func (c *Client) Explain(ctx context.Context, q status.Question) ([]status.Answer, error) {
	var answers []status.Answer
	err := c.call(ctx, http.MethodGet, "/v1/explain?"+explainQuery("", q), nil, &answers)
	return answers, err
}

// ExplainTier asks one tier; false means that it has no answer.
func (c *Client) ExplainTier(tier spec.Role, q status.Question) (status.Answer, bool, error) {
	var answers []status.Answer
	ctx, cancel := context.WithTimeout(context.Background(), Timeout)
	defer cancel()
	err := c.call(ctx, http.MethodGet, "/v1/explain?"+explainQuery(tier, q), nil, &answers)
	if err != nil || len(answers) == 0 {
		return status.Answer{}, false, err
	}
	return answers[0], true, nil
}

func explainQuery(tier spec.Role, q status.Question) string {
	text, err := json.Marshal(q)
	if err != nil {
		panic("client: a question always has a JSON form: " + err.Error())
	}
	v := url.Values{"q": {string(text)}}
	if tier != "" {
		v.Set("tier", string(tier))
	}
	return v.Encode()
}

// Apply makes the process serve another spec. A spec that is refused is an
// *Error with its problems, and changes nothing.
func (c *Client) Apply(ctx context.Context, sources []spec.Source) (Applied, error) {
	var a Applied
	err := c.call(ctx, http.MethodPost, "/v1/apply", sources, &a)
	return a, err
}

// Kill ends a part of a demo at once, as a power cut would; Heal brings it back.
func (c *Client) Kill(ctx context.Context, part string) (string, error) {
	return c.drill(ctx, "kill", part)
}

// Heal brings back what Kill ended.
func (c *Client) Heal(ctx context.Context, part string) (string, error) {
	return c.drill(ctx, "heal", part)
}

func (c *Client) drill(ctx context.Context, verb, part string) (string, error) {
	var done string
	err := c.call(ctx, http.MethodPost, "/v1/demo/"+verb+"?part="+url.QueryEscape(part), nil, &done)
	return done, err
}

func (c *Client) call(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	if in != nil {
		text, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		if op, ok := errors.AsType[*net.OpError](err); ok {
			err = op.Err
		}
		return fmt.Errorf("ask %s: %w", c.name, err)
	}
	defer func() { _ = resp.Body.Close() }()
	return read(resp, out)
}

func read(resp *http.Response, out any) error {
	text, err := io.ReadAll(io.LimitReader(resp.Body, answerMax))
	if err != nil {
		return err
	}
	if resp.StatusCode == http.StatusOK {
		return json.Unmarshal(text, out)
	}
	refused := &Error{}
	if json.Unmarshal(text, refused) != nil || refused.Message == "" {
		return fmt.Errorf("%s: %s", resp.Status, bytes.TrimSpace(text))
	}
	return refused
}
