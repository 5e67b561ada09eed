package cli

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"portico/client"
)

func socketFlag(c *cobra.Command, socket *string) {
	c.Flags().StringVar(socket, "socket", "", "control socket of the portico to ask; found by itself when not given")
}

// every returns a client for each portico of this user that answers, or for the
// one socket that was named.
func every(ctx context.Context, socket string) ([]*client.Client, error) {
	if socket != "" {
		return []*client.Client{client.Unix(socket)}, nil
	}
	sockets, err := client.Find()
	if err != nil {
		return nil, err
	}
	var living []*client.Client
	for _, path := range sockets {
		at := client.Unix(path)
		if _, err := at.Status(ctx); err == nil {
			living = append(living, at)
		}
	}
	if len(living) == 0 {
		return nil, nobody()
	}
	return living, nil
}

// one returns the client of the only portico of this user, or of the socket
// that was named.
func one(socket string) (*client.Client, error) {
	if socket != "" {
		return client.Unix(socket), nil
	}
	sockets, err := client.Find()
	if err != nil {
		return nil, err
	}
	var living, names []string
	for _, path := range sockets {
		if _, err := client.Unix(path).Status(context.Background()); err == nil {
			living = append(living, path)
			names = append(names, strings.TrimSuffix(filepath.Base(path), ".sock"))
		}
	}
	switch len(living) {
	case 0:
		return nil, nobody()
	case 1:
		return client.Unix(living[0]), nil
	}
	return nil, refusal{fmt.Errorf("several run here (%s); name one with --socket %s", strings.Join(names, ", "), living[0])}
}

func nobody() error {
	return errors.New("no portico of this user runs here (looked in " + client.SocketDir() + "); start one with portico demo or portico run, or name its --socket")
}
