package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"portico/client"
)

func socketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", "", "control socket of the portico to ask; found by itself when not given")
}

// answerWithin is how long a portico that is looked for may take to answer. One
// that was stopped or hangs must not keep people from asking the others.
const answerWithin = 2 * time.Second

// every returns a client for each portico of this user that answers, or for the
// one socket that was named.
func every(ctx context.Context, socket string) ([]*client.Client, error) {
	if socket != "" {
		return []*client.Client{client.Unix(socket)}, nil
	}
	sockets, err := living(ctx)
	if err != nil {
		return nil, err
	}
	clients := make([]*client.Client, len(sockets))
	for i, path := range sockets {
		clients[i] = client.Unix(path)
	}
	return clients, nil
}

// one returns the client of the only portico of this user, or of the socket
// that was named.
func one(ctx context.Context, socket string) (*client.Client, error) {
	if socket != "" {
		return client.Unix(socket), nil
	}
	sockets, err := living(ctx)
	if err != nil {
		return nil, err
	}
	if len(sockets) == 1 {
		return client.Unix(sockets[0]), nil
	}
	var names []string
	for _, path := range sockets {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".sock"))
	}
	return nil, refusal{fmt.Errorf("several run here (%s); name one with --socket %s", strings.Join(names, ", "), sockets[0])}
}

// living lists the sockets on which a portico of this user answers, of which
// there is at least one. All are asked at once.
func living(ctx context.Context) ([]string, error) {
	sockets, err := client.Find()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, answerWithin)
	defer cancel()
	failed := make([]error, len(sockets))
	var asking sync.WaitGroup
	for i, path := range sockets {
		asking.Go(func() { _, failed[i] = client.Unix(path).Status(ctx) })
	}
	asking.Wait()
	var alive []string
	var silent error
	for i, path := range sockets {
		switch {
		case failed[i] == nil:
			alive = append(alive, path)
		case !errors.Is(failed[i], syscall.ECONNREFUSED): // that is what a dead one left behind
			silent = errors.Join(silent, failed[i])
		}
	}
	switch {
	case len(alive) > 0:
		return alive, nil
	case silent != nil:
		return nil, silent
	}
	return nil, errors.New("no portico of this user runs here (looked in " + client.SocketDir() + "); start one with portico demo or portico run, or name its --socket")
}
