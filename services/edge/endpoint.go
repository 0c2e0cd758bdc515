package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// endpoint is a listener with its server, as a service of the tree.
type endpoint struct {
	server   *http.Server
	listener net.Listener
	bound    string
	wrap     func(net.Listener) net.Listener // around each listener; nil: nothing
}

// listen opens the listener at once, so that an address in use stops the start.
func (p *endpoint) listen(addr string) error {
	// No TCP keep-alive: HTTP requests and sockets have deadlines of their own, and asking for it costs
	// each new connection four system calls.
	l, err := (&net.ListenConfig{KeepAlive: -1}).Listen(context.Background(), "tcp", addr)
	if err != nil {
		return err
	}
	if p.wrap != nil {
		l = p.wrap(l)
	}
	p.listener, p.bound = l, l.Addr().String()
	return nil
}

func (p *endpoint) addr() string { return p.bound }

// endpointStop bounds how long requests that are under way may take when the edge stops.
const endpointStop = 3 * time.Second

// Serve implements the supervisor's Service.
func (p *endpoint) Serve(ctx context.Context) error {
	if p.listener == nil { // started anew: the listener of the life before is closed
		if err := p.listen(p.bound); err != nil {
			return fmt.Errorf("listen on %s again: %w", p.bound, err)
		}
	}
	l := p.listener
	p.listener = nil
	var serving sync.WaitGroup
	defer serving.Wait()
	failed := make(chan error, 1)
	serving.Go(func() { failed <- p.server.Serve(l) })
	select {
	case err := <-failed:
		return fmt.Errorf("serve %s: %w", p.bound, err)
	case <-ctx.Done():
	}
	stop, cancel := context.WithTimeout(context.Background(), endpointStop)
	defer cancel()
	err := p.server.Shutdown(stop)
	if err != nil {
		err = p.server.Close()
	}
	return errors.Join(ctx.Err(), err)
}
