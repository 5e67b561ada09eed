package exchange

import (
	"net/netip"
	"time"

	"portico/l7/exchange/outcome"
	"portico/l7/h2"
	"portico/l7/message"
	"portico/l7/transport"
	"portico/spec"
	"portico/target"
)

// Handler makes the decisions of one listener: where a request goes and what is
// changed on its way. It is pure apart from counters and logs, never blocks, and
// serves many connections at once. A connection asks for the current Handler at
// the start of each request and stays with it until that request's End.
//
// Requests, responses and everything they point to are valid only during the
// call, except that what Begin puts in the request, and what Response puts in
// the response, must stay valid until End; Decision.Scratch is meant for that.
//
// The calls of one request: Begin; any number of Next, and of Resume after each
// call that left d.Pending set; then Response if a target answered, or Fail if none
// did; and always one End, also while the request is pending. A request that could not
// be read (bad, too large, too slow) has no Begin, only Fail and End, and
// Decision.Begun is false.
type Handler interface {
	// Bounds are those of the listener, in force while a head is read. They do not
	// change.
	Bounds() *Bounds
	// Begin routes the request, filters it (it may edit and add fields, the
	// target and the authority), and sets either d.Fixed, or d.Target with
	// d.Address, or d.Pending. With none of them the client gets 503.
	Begin(req *message.Request, d *Decision)
	// Resume goes on where Begin, Next or Resume left off with d.Pending, which
	// the machine cleared, and sets what Begin would, d.Pending again included.
	// It is called after d.Wake was, when d.Until has passed, and sometimes for no
	// reason at all (a late wake of an older request): the handler looks whether
	// what it waits for has come.
	Resume(req *message.Request, d *Decision, now time.Time)
	// Next sets another d.Target and d.Address, or d.Pending, after the last one did
	// not take the request or failed it in a way that d.Retry names (why is OK where
	// it answered with one of its statuses), and reports whether it did. Where it did
	// not after an answer, that one goes to the client. The machine asks at most d.Attempts
	// times, never after anything of a request was sent that must not be sent twice.
	Next(req *message.Request, d *Decision, why outcome.Why) bool
	// Response filters the head of a target's final answer (or its 101) before
	// it goes to the client. Fields of framing are not in it, and are not to be added.
	Response(req *message.Request, resp *message.Response, d *Decision)
	// Fail sets d.Fixed to what the client is told when the machine must answer
	// itself, with this status; left nil, the client gets a plain fixed text.
	Fail(req *message.Request, d *Decision, status int, why outcome.Why)
	// End observes how the request ended: access log, metrics, target.End.
	End(req *message.Request, d *Decision, r *outcome.Result)
}

// Bounds are what a listener allows while no route is known yet. They are read
// only. A duration of zero or less means no bound.
type Bounds struct {
	Head        int // bytes of a request head, and of a response's
	Fields      int // lines of one head or of trailers
	HeadTimeout time.Duration
	IdleTimeout time.Duration
	// HTTP2 bounds clients who speak HTTP/2; nil means that without TLS none may.
	HTTP2 *h2.Limits

	// Of one connection: how many requests it has, and how old it becomes, before
	// the answer to the next is its last. Zero means no bound.
	Requests int
	Age      time.Duration
	// RateLeast is how many bytes in a second a client must send or take at least,
	// over each RateWindow in which nothing but the client is waited for.
	RateLeast  int64
	RateWindow time.Duration
}

// TargetsMax is how many targets one request is tried on at most: the first and
// the most retries a spec may ask for.
const TargetsMax = 11

// Decision is what the handler decided about one request, and its working
// memory. The machine clears it before each request, except Scratch's capacity and State.
type Decision struct {
	// Set by the machine before Begin.
	Client *message.Client
	Now    time.Time     // when the head was whole
	At     time.Time     // of the call to Begin, Resume or Next
	Draw   uint64        // uniformly random
	Serial int           // of the request on its connection, from 0
	Begun  bool          // Begin was called
	Lag    time.Duration // of the loop that serves the connection
	Used   int           // of what requests of that loop may hold, in percent
	Wake   func()        // see Options.Wake; it may be kept, and called after the request's End

	// Set by the handler.
	Route   spec.RouteName
	Rule    int
	Group   spec.TargetGroupName
	Target  *target.Target
	Address netip.AddrPort // of Target; the only thing the machine looks at
	// Via is how to connect to Address; nil means HTTP/1.1 in plain text.
	Via       *transport.Transport
	Fixed     *Fixed
	Timeouts  spec.Timeouts // resolved: zero and negative mean no bound
	Attempts  int           // how often Next may be asked
	Retry     *Retry        // for what besides failed connections; nil means nothing
	BodyLimit int64         // of the request's body in bytes; 0 means none

	// Pending says that the request has to wait for something that happens
	// elsewhere, such as a place in a queue or the answer of another server, and
	// that whoever does it calls Wake. The machine meanwhile holds the client's
	// body back. Until is when it calls Resume at the latest; zero means that it
	// answers 503 after a minute.
	Pending bool
	Until   time.Time
	// Awaits is the handler's own: what the request waits for. Whoever works on
	// that must not touch the Decision, which the request's End takes away.
	Awaits any

	// Gather, with Pending, says that the request waits for nothing but all of its
	// own body, of at most as many bytes: more is answered with 413. Resume is called
	// when it is here, and then nothing of the request is with the client any more.
	Gather int64
	// Hold, where Response set it, keeps an answer until it is all here, so that one
	// which breaks off becomes a 502. It passes on what is larger than so many bytes.
	Hold int64

	// Transform changes the body of the answer, where Response set it; nil passes it
	// on as it is, without a copy. It has no say where there is no body.
	Transform Transformer

	// Tried is the handler's list of targets that did not take the request; it
	// has room for TargetsMax without allocation.
	Tried []*target.Target
	tried [TargetsMax]*target.Target

	// Scratch is memory for field values the handler makes up; append to it.
	// What it held for one request is overwritten by the next.
	Scratch []byte
	// Answer is room for a Fixed made for this request.
	Answer Fixed
	// State is the handler's own; it is kept from request to request and from
	// connection to connection, so that its memory can be used again.
	State any
}

// reset makes d ready for the next request.
func (d *Decision) reset() {
	*d = Decision{Scratch: d.Scratch[:0], State: d.State, Answer: Fixed{Fields: d.Answer.Fields[:0]}}
	d.Tried = d.tried[:0]
}

// Fixed is an answer that no target is asked for. Content-Length, Connection and
// (where Body is nil for a status that has one) nothing else is added to Fields.
type Fixed struct {
	Status int
	Fields []message.Field
	Body   []byte
	// Close ends the connection after the answer.
	Close bool
	// Why is the reason in Result; OK means Handled.
	Why outcome.Why
}
