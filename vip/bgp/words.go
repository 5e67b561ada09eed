package bgp

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"unicode/utf8"

	"github.com/osrg/gobgp/v4/pkg/packet/bgp"
)

// notified is an end that the router gave a NOTIFICATION for.
type notified struct{ why string }

func (n *notified) Error() string { return n.why }

// dialWords says why there is no connection, to people who can look at both ends.
func dialWords(c peerConfig, err error) string {
	timeout, isTimeout := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Sprintf("connection refused: BGP does not listen on port %d there", c.port)
	case errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EHOSTUNREACH):
		return "no way to the router: is the link there?"
	case isTimeout && timeout.Timeout() && c.password != "":
		return "no answer: is the router there, and is its password (TCP-MD5) the same?"
	case isTimeout && timeout.Timeout():
		return "no answer: is the router there, and does it ask for a password (TCP-MD5)?"
	}
	return err.Error()
}

// silentEnd says why a connection that was open ended without a NOTIFICATION.
func silentEnd(c peerConfig, local net.Addr, state string, err error) string {
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return "the router said nothing for the hold time"
	case state == stateOpenSent && (errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET)):
		host, _, _ := net.SplitHostPort(local.String())
		return fmt.Sprintf("the router closed the connection without a word: does it know the neighbor %s of AS %d?", host, c.as)
	case errors.Is(err, io.EOF):
		return "the router closed the connection"
	case errors.Is(err, syscall.ECONNRESET):
		return "the router reset the connection"
	}
	return err.Error()
}

// notificationWords says a router's NOTIFICATION (RFC 4271, section 4.5) in words
// that name what to change.
func notificationWords(c peerConfig, n *bgp.BGPNotification) string {
	switch n.ErrorCode {
	case bgp.BGP_ERROR_OPEN_MESSAGE_ERROR:
		return openRefused(c, n)
	case bgp.BGP_ERROR_HOLD_TIMER_EXPIRED:
		return "the router heard nothing for the hold time"
	case bgp.BGP_ERROR_CEASE:
		return ceaseWords(n)
	}
	return fmt.Sprintf("the router ended the session: code %d, subcode %d (RFC 4271, section 4.5)", n.ErrorCode, n.ErrorSubcode)
}

func openRefused(c peerConfig, n *bgp.BGPNotification) string {
	switch n.ErrorSubcode {
	case bgp.BGP_ERROR_SUB_BAD_PEER_AS:
		return fmt.Sprintf("the router refuses AS %d: it expects another one of this neighbor", c.as)
	case bgp.BGP_ERROR_SUB_BAD_BGP_IDENTIFIER:
		return fmt.Sprintf("the router refuses the identifier %v: somebody else has it", c.id)
	case bgp.BGP_ERROR_SUB_UNACCEPTABLE_HOLD_TIME:
		return fmt.Sprintf("the router refuses a hold time of %v", c.hold)
	case bgp.BGP_ERROR_SUB_UNSUPPORTED_CAPABILITY:
		return "the router refuses a capability: does it take IPv4 and IPv6 unicast?"
	}
	return fmt.Sprintf("the router refuses to open the session: subcode %d (RFC 4271, section 6.2)", n.ErrorSubcode)
}

// ceaseWords are those of RFC 4486, with what an operator wrote beside it (RFC 9003).
func ceaseWords(n *bgp.BGPNotification) string {
	why := map[uint8]string{
		bgp.BGP_ERROR_SUB_MAXIMUM_NUMBER_OF_PREFIXES_REACHED: "its limit of prefixes is reached",
		bgp.BGP_ERROR_SUB_ADMINISTRATIVE_SHUTDOWN:            "it was shut down there",
		bgp.BGP_ERROR_SUB_PEER_DECONFIGURED:                  "the neighbor was removed there",
		bgp.BGP_ERROR_SUB_ADMINISTRATIVE_RESET:               "it was reset there",
		bgp.BGP_ERROR_SUB_CONNECTION_REJECTED:                "it takes no connection of this neighbor",
		bgp.BGP_ERROR_SUB_OTHER_CONFIGURATION_CHANGE:         "its configuration changed",
		bgp.BGP_ERROR_SUB_CONNECTION_COLLISION_RESOLUTION:    "it prefers another connection of the same neighbor",
		bgp.BGP_ERROR_SUB_OUT_OF_RESOURCES:                   "it is out of resources",
		bgp.BGP_ERROR_SUB_HARD_RESET:                         "it was reset there",
		bfdDownSubcode:                                       "BFD says that this node is gone",
	}[n.ErrorSubcode]
	if why == "" {
		why = fmt.Sprintf("cease, subcode %d", n.ErrorSubcode)
	}
	return "the router ended the session: " + why + said(n.Data)
}

// bfdDownSubcode is of RFC 9384.
const bfdDownSubcode = 10

// said is what an operator wrote: a length and at most 255 bytes of UTF-8.
func said(data []byte) string {
	if len(data) < 2 || int(data[0]) > len(data)-1 || !utf8.Valid(data[1:1+data[0]]) {
		return ""
	}
	text := strings.Map(func(r rune) rune {
		if r < ' ' {
			return ' '
		}
		return r
	}, string(data[1:1+data[0]]))
	return fmt.Sprintf(" (%q)", text)
}
