package telemetry

import "github.com/prometheus/client_golang/prometheus"

// Metrics are an edge's numbers. Labels have few values by construction: none is chosen by a client.
type Metrics struct {
	Sockets         prometheus.Gauge       // open
	SocketsOpened   prometheus.Counter     // upgrades that succeeded
	SocketsClosed   *prometheus.CounterVec // by close code
	SocketsMoved    prometheus.Counter     // told to come back to another edge
	Draining        prometheus.Gauge       // 1: the edge moves its clients away, 0: it does not
	UpgradesRefused *prometheus.CounterVec // by reason
	RequestsRefused *prometheus.CounterVec // of the HTTP API, by the code of the refusal
	Guarded         *prometheus.GaugeVec   // addresses and users that are counted one by one, by kind
	Channels        prometheus.Gauge       // joined

	Flows        prometheus.Gauge // with members on this edge
	SessionsHeld prometheus.Gauge // leases that this edge has
	LeaseGains   prometheus.Counter
	LeaseLosses  prometheus.Counter

	Joins    prometheus.Counter
	Leaves   prometheus.Counter
	Refusals *prometheus.CounterVec // of joins and changes, by reason

	Changes        prometheus.Counter // acknowledged
	Deliveries     prometheus.Counter // updates handed to a member's queue
	DeliveredBytes prometheus.Counter
	QueueOverflows prometheus.Counter   // clients closed because they did not follow
	SlowWrites     prometheus.Counter   // writes that found a client's kernel buffer full
	Lagging        prometheus.Gauge     // members that miss changes until they take what waits for them
	Catchups       prometheus.Counter   // composed patches, or documents, that stood for what a member missed
	Gaps           prometheus.Counter   // seqs that did not come over pub/sub
	DeliveryLag    prometheus.Histogram // seconds, by Redis's clock and this edge's
	Folds          prometheus.Counter   // snapshots written
	Losses         prometheus.Counter   // flows of which Redis was found to have lost changes
	Restores       prometheus.Counter   // documents put back that Redis had lost
	Versions       prometheus.Counter   // versions of documents that were kept

	RedisLatency         *prometheus.HistogramVec // seconds, by script
	RedisErrors          *prometheus.CounterVec   // by script
	SubscriberReconnects prometheus.Counter

	Restarts *prometheus.CounterVec // of supervised services, by their kind

	TraceSpans *prometheus.CounterVec // by what became of them
}

// NewMetrics makes the metrics and registers them; it panics if they are registered already.
func NewMetrics(to prometheus.Registerer) *Metrics {
	r := registry{to}
	return &Metrics{
		Sockets:         r.gauge("sockets", "WebSockets that are open."),
		SocketsOpened:   r.counter("sockets_opened_total", "WebSocket upgrades that succeeded."),
		SocketsClosed:   r.counters("sockets_closed_total", "WebSockets that ended, by close code; 1006 stands for a connection that went without one.", "code"),
		SocketsMoved:    r.counter("sockets_moved_total", "WebSockets that were told to come back to another edge."),
		Draining:        r.gauge("draining", "1 while this edge turns clients away and moves those that it has, else 0."),
		UpgradesRefused: r.counters("upgrades_refused_total", "Requests that were no WebSocket in the end, by reason.", "reason"),
		RequestsRefused: r.counters("requests_refused_total", "Requests of the HTTP API that were refused, by the code of the refusal.", "reason"),
		Guarded:         r.gauges("guarded", "Addresses and users whose sockets and rates are counted, by kind.", "kind"),
		Channels:        r.gauge("channels", "Channels that are joined."),

		Flows:        r.gauge("flows", "Flows that have members on this edge."),
		SessionsHeld: r.gauge("sessions_held", "Sessions whose lease this edge has."),
		LeaseGains:   r.counter("lease_gains_total", "Leases that this edge was given."),
		LeaseLosses:  r.counter("lease_losses_total", "Leases that this edge found it had lost."),

		Joins:    r.counter("joins_total", "Clients that joined a flow."),
		Leaves:   r.counter("leaves_total", "Clients that left a flow, or were gone."),
		Refusals: r.counters("refusals_total", "Joins and changes that were refused, by reason.", "reason"),

		Changes:        r.counter("changes_total", "Changes that Redis ordered and this edge acknowledged."),
		Deliveries:     r.counter("deliveries_total", "Updates that were handed to a member's queue."),
		DeliveredBytes: r.counter("delivered_bytes_total", "Bytes of updates that were handed to members' queues."),
		QueueOverflows: r.counter("queue_overflows_total", "Clients that were closed because they did not follow."),
		SlowWrites:     r.counter("slow_writes_total", "Writes that found a client's kernel buffer full."),
		Lagging:        r.gauge("lagging_members", "Members that miss changes until they take what waits for them."),
		Catchups:       r.counter("catchups_total", "Composed patches, or documents, that stood for what a member missed."),
		Gaps:           r.counter("gaps_total", "Times that a change did not come over pub/sub in its order."),

		DeliveryLag: r.histogram("delivery_lag_seconds", "Time from Redis ordering a run of changes, by its clock, to this edge handing it to members, by its own.", seconds),

		Folds:    r.counter("folds_total", "Snapshots of documents that this edge wrote."),
		Losses:   r.counter("losses_total", "Times that Redis was found to know less of a flow than this edge."),
		Restores: r.counter("restores_total", "Documents that this edge put back because Redis had lost them."),
		Versions: r.counter("versions_total", "Versions of documents that this edge kept."),

		RedisLatency:         r.histograms("redis_script_seconds", "Time from asking for a script run to its answer, by script.", "script", seconds),
		RedisErrors:          r.counters("redis_script_errors_total", "Script runs that failed, by script.", "script"),
		SubscriberReconnects: r.counter("subscriber_reconnects_total", "Times that a subscriber connection was lost and came back."),

		Restarts: r.counters("restarts_total", "Services that the supervisor started again after a failure, by kind.", "service"),

		TraceSpans: r.counters("trace_spans_total", "Spans of traces, by whether they were sent, failed to be, or were dropped because too many waited.", "outcome"),
	}
}

// seconds are the buckets of what should take milliseconds.
var seconds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

// RegisterState registers what is asked for when it is read: the version, and whether the edge may get clients.
func RegisterState(to prometheus.Registerer, version string, ready func() bool) {
	to.MustRegister(
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "build_info", Help: "1, for the version that runs.", ConstLabels: prometheus.Labels{"version": version},
		}, func() float64 { return 1 }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Namespace: namespace, Name: "ready", Help: "1 where the edge may get clients, as /readyz says, else 0."}, func() float64 {
			if ready() {
				return 1
			}
			return 0
		}),
	)
}

type registry struct{ to prometheus.Registerer }

const namespace = "helix"

func (r registry) gauge(name, help string) prometheus.Gauge {
	g := prometheus.NewGauge(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help})
	r.to.MustRegister(g)
	return g
}

func (r registry) gauges(name, help, label string) *prometheus.GaugeVec {
	g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
	r.to.MustRegister(g)
	return g
}

func (r registry) counter(name, help string) prometheus.Counter {
	c := prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	r.to.MustRegister(c)
	return c
}

func (r registry) counters(name, help, label string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, []string{label})
	r.to.MustRegister(c)
	return c
}

func (r registry) histogram(name, help string, buckets []float64) prometheus.Histogram {
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets})
	r.to.MustRegister(h)
	return h
}

func (r registry) histograms(name, help, label string, buckets []float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: namespace, Name: name, Help: help, Buckets: buckets}, []string{label})
	r.to.MustRegister(h)
	return h
}
