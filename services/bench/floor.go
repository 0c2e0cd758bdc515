package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/pprof"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/gorilla/websocket"
)

// floorCommand is the least that a server can do with gorilla: rooms, prepared messages, one reader
// goroutine a connection that writes to all others itself. No Redis, no protocol, no bounds: nobody
// should run it, everybody can be held against it.
func floorCommand(args []string, stdout io.Writer) error {
	flags := flag.NewFlagSet("floor", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "address to serve")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	listener, err := net.Listen("tcp", *addr)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	f := &floor{rooms: map[string]*room{}}
	mux := http.NewServeMux()
	mux.HandleFunc("/socket/websocket", f.join)
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	_, _ = fmt.Fprintf(stdout, "floor is at ws://%s\n", listener.Addr())
	var serving sync.WaitGroup
	serving.Go(func() { <-ctx.Done(); _ = server.Close(); f.closeAll() })
	defer serving.Wait()
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

type floor struct {
	mu    sync.Mutex
	rooms map[string]*room
}

type room struct {
	mu      sync.Mutex
	members map[*websocket.Conn]struct{}
}

var upgrader = websocket.Upgrader{
	ReadBufferSize: 512, WriteBufferSize: 512, WriteBufferPool: &sync.Pool{},
	CheckOrigin: func(*http.Request) bool { return true },
}

func (f *floor) join(w http.ResponseWriter, r *http.Request) {
	conn, err := upgrader.Upgrade(w, r, nil)
	if err != nil {
		return
	}
	name := r.URL.Query().Get("room")
	f.mu.Lock()
	m := f.rooms[name]
	if m == nil {
		m = &room{members: map[*websocket.Conn]struct{}{}}
		f.rooms[name] = m
	}
	f.mu.Unlock()
	m.mu.Lock()
	m.members[conn] = struct{}{}
	m.mu.Unlock()
	go m.read(conn) // detached from the handler, whose goroutine and buffers are large; ends with the connection
}

func (m *room) read(conn *websocket.Conn) {
	defer func() {
		m.mu.Lock()
		delete(m.members, conn)
		m.mu.Unlock()
		_ = conn.Close()
	}()
	for {
		_, reader, err := conn.NextReader()
		if err != nil {
			return
		}
		message, err := io.ReadAll(reader)
		if err != nil {
			return
		}
		prepared, err := websocket.NewPreparedMessage(websocket.TextMessage, message)
		if err != nil {
			return
		}
		m.mu.Lock()
		for member := range m.members {
			_ = member.WritePreparedMessage(prepared)
		}
		m.mu.Unlock()
	}
}

func (f *floor) closeAll() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, m := range f.rooms {
		m.mu.Lock()
		for member := range m.members {
			_ = member.Close()
		}
		m.mu.Unlock()
	}
}
