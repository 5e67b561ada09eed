// Package api serves Portico's HTTP API: on a unix socket everything, on a TCP
// address of this machine only what reads.
//
// What comes in: requests of the command line, of package client, of Prometheus.
// What goes out: JSON of spec/status, and metrics. It decides nothing; it hands
// every question to its Host.
//
// It never listens beyond loopback, because it asks nobody who they are; on the
// socket the file's mode does.
package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"portico/client"
	"portico/spec"
	"portico/spec/status"
)

// Host is the process that the API speaks for.
type Host interface {
	Status() []status.Node
	// Explain answers for one tier, or for all when the tier is empty.
	Explain(tier spec.Role, q status.Question) ([]status.Answer, error)
	Apply(sources []spec.Source) (client.Applied, error)
}

// Drill is a Host whose parts can be ended and brought back.
type Drill interface {
	Kill(part string) (string, error)
	Heal(part string) (string, error)
}

// Options are what New needs.
type Options struct {
	Host    Host
	Metrics prometheus.Gatherer
	Log     *slog.Logger
}

// API makes the handlers.
type API struct{ Options }

// New returns the API of a host.
func New(o Options) *API { return &API{o} }

const (
	bodyMax     = 64 << 20
	headTimeout = 5 * time.Second
	readTimeout = 30 * time.Second
)

// reading routes what changes nothing.
func (a *API) reading() *http.ServeMux {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /v1/status", func(w http.ResponseWriter, _ *http.Request) {
		a.answer(w, a.Host.Status(), nil)
	})
	mux.HandleFunc("GET /v1/explain", a.explain)
	mux.Handle("GET /metrics", promhttp.HandlerFor(a.Metrics, promhttp.HandlerOpts{}))
	return mux
}

// writing routes everything.
func (a *API) writing() *http.ServeMux {
	mux := a.reading()
	mux.HandleFunc("POST /v1/apply", a.apply)
	if drill, ok := a.Host.(Drill); ok {
		mux.HandleFunc("POST /v1/demo/kill", a.drill(drill.Kill))
		mux.HandleFunc("POST /v1/demo/heal", a.drill(drill.Heal))
	}
	return mux
}

func (a *API) explain(w http.ResponseWriter, r *http.Request) {
	var q status.Question
	if text := r.FormValue("q"); text != "" {
		if err := json.Unmarshal([]byte(text), &q); err != nil {
			a.refuse(w, http.StatusBadRequest, &client.Error{Message: "q: " + err.Error()})
			return
		}
	} else if err := questionOf(r, &q); err != nil {
		a.refuse(w, http.StatusBadRequest, &client.Error{Message: err.Error()})
		return
	}
	answers, err := a.Host.Explain(spec.Role(r.FormValue("tier")), q)
	a.answer(w, answers, err)
}

// questionOf reads the form that people type: ?url=…&from=…&method=….
func questionOf(r *http.Request, q *status.Question) error {
	q.URL, q.Method = r.FormValue("url"), r.FormValue("method")
	if q.URL == "" {
		return errors.New("url is missing; use /v1/explain?url=https://name/path&from=203.0.113.7")
	}
	if from := r.FormValue("from"); from != "" {
		if err := q.From.UnmarshalText([]byte(from)); err != nil {
			return fmt.Errorf("from: %q is not an address; use one such as 203.0.113.7", from)
		}
	}
	return nil
}

func (a *API) apply(w http.ResponseWriter, r *http.Request) {
	var sources []spec.Source
	if err := json.NewDecoder(io.LimitReader(r.Body, bodyMax)).Decode(&sources); err != nil {
		a.refuse(w, http.StatusBadRequest, &client.Error{Message: "body: " + err.Error()})
		return
	}
	applied, err := a.Host.Apply(sources)
	a.answer(w, applied, err)
}

func (a *API) drill(do func(string) (string, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		done, err := do(r.FormValue("part"))
		a.answer(w, done, err)
	}
}

// answer writes a result, or the error in its place.
func (a *API) answer(w http.ResponseWriter, result any, err error) {
	if err == nil {
		a.write(w, http.StatusOK, result)
		return
	}
	refused := &client.Error{}
	if !errors.As(err, &refused) {
		refused = &client.Error{Message: err.Error()}
	}
	a.refuse(w, http.StatusUnprocessableEntity, refused)
}

func (a *API) refuse(w http.ResponseWriter, code int, e *client.Error) { a.write(w, code, e) }

func (a *API) write(w http.ResponseWriter, code int, v any) {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		a.Log.Error("answer has no JSON form", "error", err)
		code, text = http.StatusInternalServerError, []byte(`{"error":"internal error"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.WriteHeader(code)
	_, _ = w.Write(append(text, '\n')) // a client that left is its own affair
}
