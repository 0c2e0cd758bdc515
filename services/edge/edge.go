package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"golang.org/x/time/rate"

	"helix/edge/internal/api"
	"helix/edge/internal/bounds"
	"helix/edge/internal/channel"
	"helix/edge/internal/fanout"
	"helix/edge/internal/leaseholder"
	"helix/edge/internal/peer"
	"helix/edge/internal/socket"
	"helix/edge/internal/supervisor"
	"helix/shared/flows"
	"helix/shared/lanes"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// edge is one edge node, wired.
type edge struct {
	cfg      Config
	log      *slog.Logger
	metrics  *telemetry.Metrics
	auth     auth
	proxies  *peer.Proxies
	guard    *bounds.Guard
	security *telemetry.SecurityLog
	redis    ping
	lanes    *lanes.Lanes
	hub      *fanout.Hub
	router   *channel.Router
	sockets  *socket.Server
	tree     *supervisor.Supervisor
	public   *endpoint
	admin    *endpoint
	traces   *telemetry.Traces
	draining atomic.Bool
}

// newEdge builds the supervision tree, top to bottom. Nothing else starts a long-lived goroutine at
// start-up but the connections of lanes, which heal by themselves, and the sending of traces, where there
// is somewhere to send them: run ends it last.
//
//	edge
//	├── writers            the queues of all sockets
//	├── sessions           a supervisor of its own
//	│   ├── flow …         one for each flow with members here
//	│   └── lease …        one for each lease held
//	├── memory             given back when a storm is over
//	├── sweeper            forgets flows whose retention is over
//	├── expiry             ends sockets whose token has expired
//	├── guard              forgets addresses and users of which there is nothing to know
//	├── keys               of tokens, where there is a JWKS
//	├── http               the public listener
//	└── admin              metrics, health, pprof
func newEdge(cfg Config, log *slog.Logger) (*edge, error) {
	e := &edge{cfg: cfg, log: log}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	metrics := telemetry.NewMetrics(registry)
	events := &telemetry.Bus{}
	telemetry.CountEvents(events, metrics)
	telemetry.LogEvents(events, log)
	telemetry.RegisterState(registry, version, func() bool {
		ctx, cancel := context.WithTimeout(context.Background(), readyTimeout)
		defer cancel()
		return e.ready(ctx) == nil
	})
	e.metrics = metrics

	var err error
	if e.auth, err = newAuth(&cfg, log); err != nil {
		return nil, err
	}
	e.security = telemetry.NewSecurityLog(log, nil)
	if e.proxies, err = newProxies(&cfg, log); err != nil {
		return nil, err
	}
	e.guard = bounds.New(bounds.Options{
		Connections: cfg.HTTP.MaxConnections, Address: cfg.Address.bounds(), User: cfg.User.bounds(), Metrics: metrics,
	})
	if err := e.listen(); err != nil {
		return nil, err
	}
	redis := cfg.lanesOptions()
	redis.Observe, redis.Reconnected, redis.Log = observeRedis(metrics), metrics.SubscriberReconnects.Inc, log
	e.lanes, err = lanes.Open(redis)
	if err != nil {
		e.closeListeners()
		return nil, err
	}
	e.traces, err = telemetry.NewTraces(telemetry.TraceOptions{
		Endpoint: cfg.Trace.OTLPEndpoint, Sample: cfg.Trace.Sample, Node: cfg.Node.ID, Version: version, Metrics: metrics, Log: log,
	})
	if err != nil {
		e.closeListeners()
		return nil, errors.Join(err, e.lanes.Close())
	}
	store := session.NewStore(e.lanes, cfg.Node.ID, session.Options{
		MaxClients: cfg.Session.MaxClients, LeaseTTL: time.Duration(cfg.Session.LeaseTTL),
		InactivityTimeout: time.Duration(cfg.Session.InactivityTimeout), Retention: time.Duration(cfg.Session.Retention),
	})

	e.tree = supervisor.New(supervisor.Options{Log: log, Metrics: metrics, ShutdownTimeout: time.Duration(cfg.Shutdown.Timeout)})
	sessions := e.tree.Child("sessions")

	writers := socket.NewWriters()
	e.hub = fanout.NewHub(fanout.Options{
		Store:     store,
		Supervise: func(name string, s fanout.Service) { sessions.Add(name, s) },
		Hold: func(lease *session.Lease, flow fanout.Folder) (release func()) {
			released := make(chan struct{})
			sessions.Add("lease "+lease.Flow().ID().String(), &leaseholder.Holder{
				Lease: lease, Folder: flow, Options: store.Options(), Metrics: metrics, Log: log, Released: released,
			})
			return func() { close(released) }
		},
		MaxDocument: int(cfg.Document.MaxBytes), LogChanges: cfg.Document.LogChanges, LogAge: time.Duration(cfg.Document.LogAge),
		VersionBounds: session.VersionBounds{Interval: time.Duration(cfg.Version.Interval), Keep: cfg.Version.Keep, Bytes: int(cfg.Version.MaxBytes)},
		Flush:         writers.Flush, Metrics: metrics, Traces: e.traces, Events: events, Log: log,
	})
	boundary := flows.New(e.hub, flows.Limits{MaxChangeBytes: int(cfg.Socket.MaxFrameBytes), MaxDepth: cfg.Change.MaxDepth})

	e.router = channel.NewRouter(channel.Options{
		Flows: boundary, Rate: rate.Limit(cfg.Change.Rate), Burst: cfg.Change.Burst,
		SignalRate: rate.Limit(cfg.Signal.Rate), SignalBurst: cfg.Signal.Burst,
		Metrics: metrics, Traces: e.traces, Log: log, Timeout: 2 * time.Duration(cfg.Redis.Timeout),
	})
	e.sockets = socket.NewServer(socket.Options{
		IdleTimeout: time.Duration(cfg.Socket.IdleTimeout), MaxFrameBytes: int64(cfg.Socket.MaxFrameBytes),
		MaxChannels: cfg.Socket.MaxChannels, QueueBytes: int(cfg.Socket.QueueBytes), AllowedOrigins: cfg.Socket.AllowedOrigins,
		WaitingBytes: int(cfg.Socket.WaitingBytes), MessageRate: cfg.Socket.MessageRate, Connect: e.auth.connect, Guard: e.guard,
		Router: e.router, Metrics: metrics, Log: log, Security: e.security,
	}, writers)

	e.public.server = api.NewServer(cfg.HTTP.Addr, e.proxies.Resolve(onlyHosts(cfg.HTTP.Hosts, api.New(api.Options{
		Flows: boundary, Authenticate: e.auth.bearer(), Allow: allowRequest(e.guard), Socket: e.sockets, Ready: e.ready,
		Refused: func(code string) { metrics.RequestsRefused.WithLabelValues(code).Inc() }, Security: e.security,
		Traces: e.traces, Log: log, Version: version, MaxDocumentBytes: int64(cfg.Document.MaxBytes),
	}))), log)
	e.admin.server = api.NewServer(cfg.Admin.Addr, api.NewAdmin(api.AdminOptions{Gatherer: registry, Ready: e.ready, Log: log}), log)

	e.tree.Add("writers", writers)
	e.tree.Add("memory", memory{})
	e.tree.Add("sweeper", sweeper{store, log})
	e.tree.Add("expiry", e.sockets)
	e.tree.Add("guard", e.guard)
	if e.auth.keys != nil {
		e.tree.Add("keys", e.auth.keys)
	}
	e.tree.Add("http", e.public)
	e.tree.Add("admin", e.admin)
	return e, nil
}

// run serves until ctx ends, then stops in order: not ready, sockets moved, sessions handed over,
// services ended. It returns an error when the edge ended by itself.
func (e *edge) run(ctx context.Context) error {
	treeCtx, stopTree := context.WithCancel(context.Background())
	defer stopTree()
	ended := make(chan error, 1)
	go func() { ended <- e.tree.Run(treeCtx) }() // waited for below, in either case
	e.log.Info("the edge is up", "http", e.public.addr(), "admin", e.admin.addr(), "version", version)
	select {
	case err := <-ended:
		e.router.Close()
		e.closeTraces(time.Now().Add(time.Duration(e.cfg.Shutdown.Timeout)))
		return errors.Join(fmt.Errorf("the edge ended: %w", err), e.lanes.Close())
	case <-ctx.Done():
	}
	end := time.Now().Add(time.Duration(e.cfg.Shutdown.Delay + e.cfg.Shutdown.Drain + 2*e.cfg.Shutdown.Timeout))
	err := errors.Join(e.stop(ended, stopTree), e.lanes.Close())
	e.closeTraces(end)
	return err
}

// closeTraces sends the last spans, for shutdown.timeout at most and until end, by which the edge must have
// ended. That it could not is told, and no reason to end with an error.
func (e *edge) closeTraces(end time.Time) {
	ctx, cancel := context.WithTimeout(context.Background(), min(time.Until(end), time.Duration(e.cfg.Shutdown.Timeout)))
	defer cancel()
	if err := e.traces.Close(ctx); err != nil {
		e.log.Warn("the last traces are lost", "error", err)
	}
}

// stop ends an edge in order. ended tells how the tree ended, by itself or because stopTree was called.
func (e *edge) stop(ended <-chan error, stopTree func()) error {
	defer e.router.Close()
	ctx, hurry := context.WithCancel(context.Background())
	defer hurry()
	drained := make(chan struct{})
	go func() { e.drain(ctx); close(drained) }()
	select {
	case <-drained:
	case err := <-ended: // by itself: nothing here serves those who are left
		hurry()
		<-drained
		return fmt.Errorf("the edge ended while it drained: %w", err)
	}
	stopTree()
	if err := <-ended; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// drain lets go of the clients: not ready at once, then the sockets in waves, then what they left behind,
// so that the counts are right and the leases with other edges before this one is gone. When ctx ends it
// goes without waves.
func (e *edge) drain(ctx context.Context) {
	e.draining.Store(true)
	e.metrics.Draining.Set(1)
	began := time.Now()
	e.log.Info("stopping: no new clients from here on")
	var waves socket.Drain // none where there is no other edge that clients could go to
	if e.cfg.Redis.URL != "" {
		waves = socket.Drain{Delay: time.Duration(e.cfg.Shutdown.Delay), Over: time.Duration(e.cfg.Shutdown.Drain)}
	}
	e.sockets.Drain(ctx, waves, func(sockets int) {
		e.public.server.SetKeepAlivesEnabled(false)
		e.log.Info("moving the clients to other edges", "sockets", sockets, "over", waves.Over)
	})
	goodbye, cancel := context.WithTimeout(ctx, time.Duration(e.cfg.Shutdown.Timeout))
	defer cancel()
	if !e.hub.AwaitEmpty(goodbye) {
		e.log.Warn("some flows could not say goodbye to Redis in time; their clients leave the count by themselves")
	}
	e.log.Info("all clients are moved", "took", time.Since(began).Round(time.Millisecond))
}

// ready says whether this edge may get clients.
func (e *edge) ready(ctx context.Context) error {
	if e.draining.Load() {
		return api.NotReady("the node is draining")
	}
	if err := e.auth.ready(); err != nil {
		return fmt.Errorf("%w: %w", api.NotReady("the keys of tokens cannot be fetched"), err)
	}
	if err := e.redis.once(ctx, e.lanes.Ping); err != nil {
		return fmt.Errorf("%w: %w", api.NotReady("Redis cannot be reached"), err)
	}
	return nil
}

func (e *edge) listen() error {
	e.public, e.admin = &endpoint{}, &endpoint{}
	e.public.wrap = func(l net.Listener) net.Listener {
		l = e.guard.Listen(l, e.proxies.Trusts, e.security)
		if e.cfg.HTTP.ProxyProtocol {
			l = e.proxies.Listen(l)
		}
		return l
	}
	if err := e.public.listen(e.cfg.HTTP.Addr); err != nil {
		return fmt.Errorf("listen for clients (http.addr): %w", err)
	}
	if err := e.admin.listen(e.cfg.Admin.Addr); err != nil {
		e.closeListeners()
		return fmt.Errorf("listen for operators (admin.addr): %w", err)
	}
	return nil
}

func (e *edge) closeListeners() {
	for _, p := range []*endpoint{e.public, e.admin} {
		if p.listener != nil {
			_ = p.listener.Close()
		}
	}
}

// url is where a browser on this machine finds the edge.
func (e *edge) url() string { return localURL(e.public.addr()) }

func localURL(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "http://" + addr
	}
	if ip := net.ParseIP(host); host == "" || (ip != nil && ip.IsUnspecified()) {
		host = "localhost"
	}
	return "http://" + net.JoinHostPort(host, port)
}

// readyTimeout bounds how long a reading of the metrics waits for the answer to whether the edge is ready.
const readyTimeout = time.Second

// observeRedis puts script runs into the metrics. A script's errors are there from 0: else the first one
// would not be seen as a rise.
func observeRedis(m *telemetry.Metrics) func(string, time.Duration, error) {
	return func(script string, took time.Duration, err error) {
		m.RedisLatency.WithLabelValues(script).Observe(took.Seconds())
		failed := m.RedisErrors.WithLabelValues(script)
		if err != nil && !lanes.IsNil(err) {
			failed.Inc()
		}
	}
}
