package scenario

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/net/websocket"
)

// websocketEcho sends a message over a WebSocket and prints the one that comes back.
func websocketEcho(ts *testscript.TestScript, neg bool, args []string) {
	out, err := of(ts).websocket(ts, args[0], args[1])
	finish(ts, neg, out, err)
}

func (s *story) websocket(ts *testscript.TestScript, to, text string) (string, error) {
	u, err := url.Parse(to)
	if err != nil {
		return "", err
	}
	conn, err := s.dial(context.Background(), "tcp", u.Host)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(pollFor)); err != nil {
		return "", err
	}
	if u.Scheme == "wss" {
		ca, err := os.ReadFile(ts.MkAbs("ca.pem"))
		if err != nil {
			return "", err
		}
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM(ca)
		conn = tls.Client(conn, &tls.Config{ServerName: u.Hostname(), RootCAs: roots, NextProtos: []string{"http/1.1"}})
	}
	config, err := websocket.NewConfig(to, "http://"+u.Host)
	if err != nil {
		return "", err
	}
	ws, err := websocket.NewClient(config, conn)
	if err != nil {
		return "", err
	}
	if err := websocket.Message.Send(ws, text); err != nil {
		return "", err
	}
	var back string
	err = websocket.Message.Receive(ws, &back)
	return back + "\n", err
}

// line talks to an echo: greeting, a line there, a line back.
func line(ts *testscript.TestScript, neg bool, args []string) {
	out, err := of(ts).line(args[0], args[1])
	finish(ts, neg, out, err)
}

func (s *story) line(to, text string) (string, error) {
	conn, err := s.dial(context.Background(), "tcp", to)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetDeadline(time.Now().Add(pollFor)); err != nil {
		return "", err
	}
	r := bufio.NewReader(conn)
	greeting, err := r.ReadString('\n')
	if err != nil {
		return "", err
	}
	if _, err := fmt.Fprintln(conn, text); err != nil {
		return "", err
	}
	// The end of one direction must not end the other.
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return "", err
	}
	back, err := r.ReadString('\n')
	return greeting + back, err
}
