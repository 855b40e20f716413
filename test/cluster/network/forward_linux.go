package network

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"golang.org/x/sync/errgroup"
)

// Forward listens outside the namespace and passes each connection on to an
// address inside it. A route is LISTEN=TARGET. It runs until ctx ends or a
// listener fails.
func Forward(ctx context.Context, namespace string, routes []string) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, route := range routes {
		listen, target, found := strings.Cut(route, "=")
		if !found {
			return fmt.Errorf("route %q: want LISTEN=TARGET", route)
		}
		listener, err := net.Listen("tcp", listen)
		if err != nil {
			return err
		}
		context.AfterFunc(ctx, func() { _ = listener.Close() })
		group.Go(func() error { return accept(ctx, listener, Dialer(namespace), target) })
	}
	err := group.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

type dial func(ctx context.Context, network, address string) (net.Conn, error)

func accept(ctx context.Context, listener net.Listener, dial dial, target string) error {
	for {
		connection, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer connection.Close()
			inner, err := dial(ctx, "tcp", target)
			if err != nil {
				return // The client sees its connection closed.
			}
			defer inner.Close()
			join(connection, inner)
		}()
	}
}

// join copies both ways and passes the end of each direction on, until both
// have ended.
func join(one, other net.Conn) {
	var group errgroup.Group
	group.Go(func() error { return copyAndClose(one, other) })
	group.Go(func() error { return copyAndClose(other, one) })
	_ = group.Wait() // A broken connection ends like any other.
}

func copyAndClose(to, from net.Conn) error {
	_, err := io.Copy(to, from)
	if half, can := to.(interface{ CloseWrite() error }); can {
		err = errors.Join(err, half.CloseWrite())
	}
	if err != nil {
		// The other direction would otherwise wait for ever.
		err = errors.Join(err, to.Close(), from.Close())
	}
	return err
}
