package main

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"helix/edge/internal/bounds"
	"helix/edge/internal/peer"
	"helix/edge/internal/socket"
	"helix/shared/config"
	"helix/shared/session"
)

// Config is every setting of an edge. A setting is a promise to test: ask first whether one value
// serves all.
type Config struct {
	HTTP struct {
		Addr            string   `key:"addr" help:"where clients connect: sockets, the HTTP API, the page"`
		TrustedProxies  []string `key:"trusted_proxies" help:"addresses and CIDRs of the proxies in front, comma separated: what they say of the client is believed; empty: nobody is"`
		MaxConnections  int      `key:"max_connections" help:"open connections of one address that is no trusted proxy's, sockets among them; 0: no bound"`
		Hosts           []string `key:"hosts" help:"names and addresses that clients know the edge by, comma separated; a request for another host gets 421; empty: any"`
		ForwardedHeader string   `key:"forwarded_header" help:"in which trusted proxies tell the client's address: X-Forwarded-For or Forwarded; the other is not read"`
		ProxyProtocol   bool     `key:"proxy_protocol" help:"true: trusted proxies begin each connection with a header of the PROXY protocol, version 1 or 2"`
	} `key:"http"`
	Admin struct {
		Addr string `key:"addr" help:"metrics, health and pprof; not for the public"`
	} `key:"admin"`
	Redis struct {
		URL       string          `key:"url" help:"redis, rediss, unix, redis-sentinel, rediss-sentinel, redis-cluster or rediss-cluster URL; empty: the embedded stand-in, which keeps nothing"`
		KeyPrefix string          `key:"key_prefix" help:"begins every key; the same on all edges"`
		Lanes     int             `key:"lanes" help:"hash tags that the flows are spread over; the same on all edges, for ever"`
		Timeout   config.Duration `key:"timeout" help:"of one round trip, and of connecting"`

		Username             string `key:"username" help:"of the ACL, where the URL names none; empty: the default user"`
		Password             string `key:"password" secret:"true" help:"where the URL names none"`
		PasswordFile         string `key:"password_file" help:"a file that holds the password, read anew for each connection; a line end at its end does not count"`
		SentinelUsername     string `key:"sentinel_username" help:"of the sentinels themselves, which have users of their own"`
		SentinelPassword     string `key:"sentinel_password" secret:"true" help:"of the sentinels themselves"`
		SentinelPasswordFile string `key:"sentinel_password_file" help:"a file that holds it"`
		TLSCAFile            string `key:"tls_ca_file" help:"PEM file of the authorities that Redis's certificates are checked by; empty: the system's"`
		TLSCertFile          string `key:"tls_cert_file" help:"PEM file of this edge's certificate, where Redis asks for one; read anew for each connection, like its key"`
		TLSKeyFile           string `key:"tls_key_file" help:"PEM file of its key"`
		TLSServerName        string `key:"tls_server_name" help:"that Redis's certificates must bear; empty: the name by which a server is reached, or for one reached by address the name in the URL"`
	} `key:"redis"`
	Node struct {
		ID string `key:"id" help:"name of this edge in logs and in the lease; empty: the host's name and a random end"`
	} `key:"node"`
	Session struct {
		MaxClients        int             `key:"max_clients" help:"of one flow, in the whole cluster"`
		LeaseTTL          config.Duration `key:"lease_ttl" help:"of a session's lease; a dead edge's clients leave the count within it"`
		InactivityTimeout config.Duration `key:"inactivity_timeout" help:"after which a session without joins, leaves and changes ends"`
		Retention         config.Duration `key:"retention" help:"of what outlives a session"`
	} `key:"session"`
	Socket struct {
		IdleTimeout    config.Duration `key:"idle_timeout" help:"a socket silent for longer is closed; phoenix.js beats every 30s"`
		AllowedOrigins []string        `key:"allowed_origins" help:"pages that may connect, comma separated: an origin, a host, *.host or *; empty: the host that is connected to"`
		MaxFrameBytes  config.Bytes    `key:"max_frame_bytes" help:"of one message of a client"`
		MaxChannels    int             `key:"max_channels" help:"joined on one socket"`
		QueueBytes     config.Bytes    `key:"queue_bytes" help:"that may wait for one client; past it the client is closed with 1013"`
		WaitingBytes   config.Bytes    `key:"waiting_bytes" help:"of documents that wait to be written to all clients together; past it the client goes that has not read its own for longest"`
		MessageRate    int             `key:"message_rate" help:"messages a second of one socket, and four seconds of them at once; who sends more is read more slowly; 0: no bound"`
	} `key:"socket"`
	Address limits `key:"address"`
	User    limits `key:"user"`
	Change  struct {
		Rate     int `key:"rate" help:"changes a second and client, in the long run"`
		Burst    int `key:"burst" help:"changes that a client may send at once"`
		MaxDepth int `key:"max_depth" help:"nesting of objects and arrays in a change"`
	} `key:"change"`
	Signal struct {
		Rate  int `key:"rate" help:"signals and presence updates a second and client, in the long run"`
		Burst int `key:"burst" help:"the same that a client may send at once"`
	} `key:"signal"`
	Document struct {
		MaxBytes   config.Bytes    `key:"max_bytes" help:"of a flow's document as JSON; a change that would cross it is refused"`
		LogChanges int             `key:"log_changes" help:"that the log keeps of those which the snapshot holds: clients away for no longer resume without the document"`
		LogAge     config.Duration `key:"log_age" help:"after which the log lets go of what the snapshot holds"`
	} `key:"document"`
	Version struct {
		Interval config.Duration `key:"interval" help:"between two versions of a document while it is edited, a fifth of it where it comes to rest; 0: none are made but those with a name"`
		Keep     int             `key:"keep" help:"versions of a flow, the older ones further apart; and as many with a name, which stay until somebody removes them"`
		MaxBytes config.Bytes    `key:"max_bytes" help:"of a flow's versions as Redis has them, compressed; half of it at most for those with a name"`
	} `key:"version"`
	Auth struct {
		Mode       string          `key:"mode" help:"none: whoever reaches the edge may do everything; jwt: sockets and the HTTP API need a token"`
		Secret     string          `key:"secret" secret:"true" help:"that tokens are signed with (HS256, HS384, HS512): 32 bytes or more"`
		SecretFile string          `key:"secret_file" help:"a file that holds the secret; a line end at its end does not count"`
		JWKSURL    string          `key:"jwks_url" help:"where the public keys are that tokens are signed with (RS, PS, ES, EdDSA), in place of a secret"`
		Issuer     string          `key:"issuer" help:"that a token must name as iss; empty: any"`
		Audience   string          `key:"audience" help:"that a token must name in aud; empty: any"`
		Leeway     config.Duration `key:"leeway" help:"by which clocks may differ when a token begins and ends"`
		Claim      string          `key:"claim" help:"of a token that tells its rights"`
	} `key:"auth"`
	Shutdown struct {
		Delay   config.Duration `key:"delay" help:"between the signal and the first client that is moved: not ready at once, so that balancers learn it; none where no client is there"`
		Drain   config.Duration `key:"drain" help:"over which the clients are moved to other edges, in waves; 0s: all at once"`
		Timeout config.Duration `key:"timeout" help:"that each service has to end; an edge ends within delay + drain + twice this"`
	} `key:"shutdown"`
	Trace struct {
		OTLPEndpoint string  `key:"otlp_endpoint" help:"an OpenTelemetry collector, OTLP over HTTP, such as http://collector:4318; empty: no traces"`
		Sample       float64 `key:"sample" help:"share of the changes that are followed from socket to delivery, 0 to 1"`
	} `key:"trace"`
	Log struct {
		Level  string `key:"level" help:"debug, info, warn or error"`
		Format string `key:"format" help:"text or json"`
	} `key:"log"`
}

// limits are those of one address, or of one user, on this edge.
type limits struct {
	MaxSockets  int `key:"max_sockets" help:"open sockets of each on this edge; 0: no bound"`
	SocketRate  int `key:"socket_rate" help:"new sockets a second of each, and four seconds of them at once; 0: no bound"`
	JoinRate    int `key:"join_rate" help:"the same of joins"`
	RequestRate int `key:"request_rate" help:"the same of requests of the HTTP API"`
}

func (l limits) bounds() bounds.Limits {
	return bounds.Limits{Sockets: l.MaxSockets, SocketRate: l.SocketRate, JoinRate: l.JoinRate, RequestRate: l.RequestRate}
}

// envPrefix begins the variables of all settings.
const envPrefix = "HELIX"

func defaultConfig() Config {
	var c Config
	c.HTTP.Addr, c.Admin.Addr = ":4000", "127.0.0.1:4001"
	c.HTTP.MaxConnections, c.HTTP.ForwardedHeader = 25_000, peer.XForwardedFor
	c.Redis.KeyPrefix, c.Redis.Lanes, c.Redis.Timeout = "helix", 64, config.Duration(3*time.Second)
	c.Session.MaxClients, c.Session.LeaseTTL = 1000, config.Duration(15*time.Second)
	c.Session.InactivityTimeout, c.Session.Retention = config.Duration(30*time.Minute), config.Duration(30*24*time.Hour)
	c.Socket.IdleTimeout, c.Socket.MaxFrameBytes = config.Duration(time.Minute), 1<<20
	c.Socket.MaxChannels, c.Socket.QueueBytes, c.Socket.WaitingBytes, c.Socket.MessageRate = 128, 1<<20, 512<<20, 1000
	// A thousand members of a flow behind one address come back at once when their edge restarts, with two
	// tabs each. A user is a person, or a program that is many clients.
	c.Address = limits{MaxSockets: 20_000, SocketRate: 500, JoinRate: 1000, RequestRate: 500}
	c.User = limits{MaxSockets: 1000, SocketRate: 100, JoinRate: 200, RequestRate: 100}
	c.Change.Rate, c.Change.Burst, c.Change.MaxDepth = 100, 200, 128
	c.Signal.Rate, c.Signal.Burst = 60, 120
	c.Document.MaxBytes, c.Document.LogChanges, c.Document.LogAge = 8<<20, 10_000, config.Duration(24*time.Hour)
	b := session.DefaultVersionBounds
	c.Version.Interval, c.Version.Keep, c.Version.MaxBytes = config.Duration(b.Interval), b.Keep, config.Bytes(b.Bytes)
	c.Auth.Mode, c.Auth.Leeway, c.Auth.Claim = authNone, config.Duration(30*time.Second), "helix"
	c.Shutdown.Delay, c.Shutdown.Drain = config.Duration(2*time.Second), config.Duration(15*time.Second)
	c.Shutdown.Timeout = config.Duration(5 * time.Second)
	c.Trace.Sample = 0.01
	c.Log.Level, c.Log.Format = "info", "text"
	return c
}

var (
	prefixForm = regexp.MustCompile(`^[A-Za-z0-9:_.-]{1,64}$`)
	nodeForm   = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)
)

// validate names every setting that cannot be.
func (c *Config) validate() error {
	var wrong []error
	check := func(ok bool, key string, value any, want string) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s is %v: it must be %s", key, value, want))
		}
	}
	between := func(n, low, high int64, key string, shown any, want string) {
		check(n >= low && n <= high, key, shown, want)
	}
	for key, addr := range map[string]string{"http.addr": c.HTTP.Addr, "admin.addr": c.Admin.Addr} {
		_, _, err := net.SplitHostPort(addr)
		check(err == nil, key, fmt.Sprintf("%q", addr), "host:port or :port")
	}
	if _, err := peer.ParseTrusted(c.HTTP.TrustedProxies); err != nil {
		wrong = append(wrong, fmt.Errorf("http.trusted_proxies: %w, such as 192.0.2.1, 2001:db8::1 or 10.0.0.0/8", err))
	}
	check(slices.Contains([]string{peer.XForwardedFor, peer.Forwarded}, http.CanonicalHeaderKey(c.HTTP.ForwardedHeader)),
		"http.forwarded_header", fmt.Sprintf("%q", c.HTTP.ForwardedHeader), peer.XForwardedFor+" or "+peer.Forwarded)
	check(!c.HTTP.ProxyProtocol || len(c.HTTP.TrustedProxies) > 0, "http.proxy_protocol", "true", "false where http.trusted_proxies names nobody who may speak it")
	for _, origin := range c.Socket.AllowedOrigins {
		if err := socket.CheckAllowed(origin); err != nil {
			wrong = append(wrong, fmt.Errorf("socket.allowed_origins has %q: %w", origin, err))
		}
	}
	c.validateRedis(check)
	check(prefixForm.MatchString(c.Redis.KeyPrefix), "redis.key_prefix", fmt.Sprintf("%q", c.Redis.KeyPrefix), "1 to 64 letters, digits, or : _ . -")
	between(int64(c.Redis.Lanes), 1, 16384, "redis.lanes", c.Redis.Lanes, "from 1 to 16384")
	duration := func(d config.Duration, low, high time.Duration, key string) {
		between(int64(d), int64(low), int64(high), key, d, fmt.Sprintf("from %v to %v", config.Duration(low), config.Duration(high)))
	}
	duration(c.Redis.Timeout, 10*time.Millisecond, time.Minute, "redis.timeout")
	check(nodeForm.MatchString(c.Node.ID), "node.id", fmt.Sprintf("%q", c.Node.ID), "1 to 128 letters, digits, or _ . : -")
	between(int64(c.Session.MaxClients), 1, 1_000_000, "session.max_clients", c.Session.MaxClients, "from 1 to 1000000")
	duration(c.Session.LeaseTTL, 300*time.Millisecond, 10*time.Minute, "session.lease_ttl")
	duration(c.Session.InactivityTimeout, time.Second, 365*24*time.Hour, "session.inactivity_timeout")
	duration(c.Session.Retention, time.Second, 10*365*24*time.Hour, "session.retention")
	duration(c.Socket.IdleTimeout, 100*time.Millisecond, time.Hour, "socket.idle_timeout")
	between(int64(c.Socket.MaxFrameBytes), 1024, 64<<20, "socket.max_frame_bytes", c.Socket.MaxFrameBytes, "from 1KiB to 64MiB")
	between(int64(c.Socket.MaxChannels), 1, 10_000, "socket.max_channels", c.Socket.MaxChannels, "from 1 to 10000")
	between(int64(c.Socket.QueueBytes), 16<<10, 1<<30, "socket.queue_bytes", c.Socket.QueueBytes, "from 16KiB to 1GiB")
	between(int64(c.Change.Rate), 1, 1_000_000, "change.rate", c.Change.Rate, "from 1 to 1000000")
	between(int64(c.Change.Burst), 1, 1_000_000, "change.burst", c.Change.Burst, "from 1 to 1000000")
	between(int64(c.Change.MaxDepth), 1, 500, "change.max_depth", c.Change.MaxDepth, "from 1 to 500")
	between(int64(c.Signal.Rate), 1, 1_000_000, "signal.rate", c.Signal.Rate, "from 1 to 1000000")
	between(int64(c.Signal.Burst), 1, 1_000_000, "signal.burst", c.Signal.Burst, "from 1 to 1000000")
	between(int64(c.Document.MaxBytes), 1024, 256<<20, "document.max_bytes", c.Document.MaxBytes, "from 1KiB to 256MiB")
	between(int64(c.Document.LogChanges), 0, 1_000_000, "document.log_changes", c.Document.LogChanges, "from 0 to 1000000")
	duration(c.Document.LogAge, time.Second, 365*24*time.Hour, "document.log_age")
	between(int64(c.Socket.WaitingBytes), 2*int64(c.Document.MaxBytes), 1<<40, "socket.waiting_bytes", c.Socket.WaitingBytes, "from twice document.max_bytes to 1024GiB")
	between(int64(c.Socket.MessageRate), 0, 1_000_000, "socket.message_rate", c.Socket.MessageRate, "from 0 to 1000000")
	for section, l := range map[string]limits{"address": c.Address, "user": c.User} {
		for key, n := range map[string]int{"max_sockets": l.MaxSockets, "socket_rate": l.SocketRate, "join_rate": l.JoinRate, "request_rate": l.RequestRate} {
			between(int64(n), 0, 10_000_000, section+"."+key, n, "from 0 to 10000000")
		}
	}
	between(int64(c.HTTP.MaxConnections), 0, 10_000_000, "http.max_connections", c.HTTP.MaxConnections, "from 0 to 10000000")
	check(c.Version.Interval == 0 || (c.Version.Interval >= config.Duration(time.Second) && c.Version.Interval <= config.Duration(365*24*time.Hour)), "version.interval", c.Version.Interval, "0, or from 1s to 8760h")
	between(int64(c.Version.Keep), 1, 1000, "version.keep", c.Version.Keep, "from 1 to 1000")
	between(int64(c.Version.MaxBytes), 64<<10, 1<<30, "version.max_bytes", c.Version.MaxBytes, "from 64KiB to 1GiB")
	c.validateAuth(check)
	duration(c.Auth.Leeway, 0, 5*time.Minute, "auth.leeway")
	duration(c.Shutdown.Delay, 0, 10*time.Minute, "shutdown.delay")
	duration(c.Shutdown.Drain, 0, time.Hour, "shutdown.drain")
	duration(c.Shutdown.Timeout, 100*time.Millisecond, 10*time.Minute, "shutdown.timeout")
	if c.Trace.OTLPEndpoint != "" {
		u, err := url.Parse(c.Trace.OTLPEndpoint)
		check(err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "", "trace.otlp_endpoint", "no such URL", "an http or https URL")
	}
	check(c.Trace.Sample >= 0 && c.Trace.Sample <= 1, "trace.sample", c.Trace.Sample, "from 0 to 1")
	check(slices.Contains([]string{"debug", "info", "warn", "error"}, c.Log.Level), "log.level", fmt.Sprintf("%q", c.Log.Level), "debug, info, warn or error")
	check(slices.Contains([]string{"text", "json"}, c.Log.Format), "log.format", fmt.Sprintf("%q", c.Log.Format), "text or json")
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(wrong...)
}

// The commands of the program.
const (
	commandRun            = "run"
	commandHelp           = "help"
	commandConfig         = "config"
	commandConfigMarkdown = "config-markdown"
	commandVersion        = "version"
	commandHealthcheck    = "healthcheck"
	commandToken          = "token"
	commandACL            = "acl"
)

// parseCommand reads the command line and, for commands that need them, the settings.
func parseCommand(args, environ []string) (command string, cfg Config, err error) {
	command, file := commandRun, ""
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		value, joined := strings.CutPrefix(arg, "--config=")
		switch {
		case arg == "--help" || arg == "-h" || arg == "help":
			return commandHelp, cfg, nil
		case arg == "--version" || arg == "version":
			return commandVersion, cfg, nil
		case arg == "config" || arg == "healthcheck" || arg == "run" || arg == commandACL:
			command = arg
		case arg == "--markdown" && command == commandConfig:
			return commandConfigMarkdown, cfg, nil
		case joined:
			file = value
		case arg == "--config" && len(args) > 0:
			file, args = args[0], args[1:]
		case arg == "--config":
			return "", cfg, errors.New("--config needs a file")
		default:
			return "", cfg, fmt.Errorf("unknown argument %q; helix --help lists them", arg)
		}
	}
	cfg = defaultConfig()
	if err := config.Load(&cfg, envPrefix, file, environ); err != nil {
		return "", cfg, err
	}
	if cfg.Node.ID == "" {
		cfg.Node.ID = newNodeID()
	}
	return command, cfg, cfg.validate()
}

func newNodeID() string {
	host, err := os.Hostname()
	if err != nil || !nodeForm.MatchString(host) {
		host = "edge"
	}
	return host[:min(len(host), 100)] + "-" + strings.ToLower(rand.Text()[:6])
}

func writeHelp(w io.Writer) error {
	const usage = `helix: an edge node of Helix

  helix [--config FILE]             serve
  helix config [--config FILE]      print the settings as they are, secrets hidden
  helix config --markdown           print the table of settings for a README
  helix acl [--config FILE]         print the command that gives Redis's user "helix" the rights that an edge needs,
                                    for redis.url and redis.key_prefix as they are
  helix healthcheck                 ask the edge on this machine whether it is ready
  helix token --user ID [--name NAME] [--for 1h] [--right 'FLOWS=read,write,manage']... [--config FILE]
                                    mint a token for development, signed with auth.secret; FLOWS is a flow id, or
                                    a beginning of flow ids and a *; without --right it may do everything
  helix --version | --help

Settings come from the defaults, then the YAML file, then the environment:

`
	if _, err := io.WriteString(w, usage); err != nil {
		return err
	}
	cfg := defaultConfig()
	return config.Help(w, &cfg, envPrefix)
}

func (c Config) print(w io.Writer) error { return config.Print(w, &c) }

func writeMarkdown(w io.Writer) error {
	cfg := defaultConfig()
	return config.Markdown(w, &cfg, envPrefix)
}
