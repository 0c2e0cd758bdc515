package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseCommand_eachMistakeIsNamed(t *testing.T) {
	t.Parallel()
	cases := map[string]string{
		"unknown_key":      "unknown key sessions.max_clients",
		"misspelled_key":   "unknown key session.max_client; did you mean session.max_clients?",
		"bad_address":      `http.addr is "4000": it must be host:port or :port`,
		"bad_redis_url":    "redis.url is no such URL: it must be a URL with the scheme redis, rediss",
		"no_clients":       "session.max_clients is 0: it must be from 1 to 1000000",
		"lease_too_short":  "session.lease_ttl is 10ms: it must be from 300ms to 10m",
		"bad_duration":     `socket.idle_timeout: "60" is no duration`,
		"frame_too_large":  "socket.max_frame_bytes is 1GiB: it must be from 1KiB to 64MiB",
		"bad_node_id":      `node.id is "edge one": it must be`,
		"version_interval": "version.interval is 1ms: it must be 0, or from 1s to 8760h",
		"bad_log_level":    `log.level is "loud": it must be debug, info, warn or error`,
		"several_mistakes": "change.burst is 0",
		"trace_bad_url":    "trace.otlp_endpoint is no such URL: it must be an http or https URL",
		"trace_too_much":   "trace.sample is 1.5: it must be from 0 to 1",

		"bad_trusted_proxy":                  `http.trusted_proxies: "balancer" is neither an address nor a CIDR, such as 192.0.2.1`,
		"bad_forwarded_header":               `http.forwarded_header is "X-Real-IP": it must be X-Forwarded-For or Forwarded`,
		"proxy_protocol_of_nobody":           "http.proxy_protocol is true: it must be false where http.trusted_proxies names nobody",
		"bad_bool":                           `http.proxy_protocol: "yes please" is neither true nor false`,
		"origin_with_a_path":                 `socket.allowed_origins has "https://app.example/": it must be an origin`,
		"negative_limit":                     "address.max_sockets is -1: it must be from 0 to 10000000",
		"redis_two_passwords":                "redis.password is set: it must be empty where redis.password_file is set",
		"redis_password_twice":               "redis.password is set: it must be empty where redis.url names a user or a password",
		"redis_no_password_file":             `redis.password_file is "testdata/no-such-file": it must be a file that can be read`,
		"redis_user_alone":                   "redis.username is set: it must be empty, or with redis.password or redis.password_file",
		"redis_password_without_url":         "redis.password is set: it must be empty without redis.url",
		"redis_sentinel_password_alone":      "redis.sentinel_password is set: it must be empty where redis.url is not of sentinels",
		"redis_tls_without_rediss":           "redis.url is not for TLS: it must be one that begins with rediss",
		"redis_no_ca_file":                   `redis.tls_ca_file is "testdata/no-such-file": it must be a PEM file with certificates`,
		"redis_ca_file_without_certificates": "no_clients.bad.yaml holds no certificate",
		"redis_cert_without_key":             "redis.tls_cert_file is set: it must be set together with redis.tls_key_file",
		"redis_bad_key":                      `redis.tls_cert_file is "testdata/no_clients.bad.yaml": it must be a PEM file with a certificate that goes with redis.tls_key_file`,
		"redis_sentinel_without_master":      "the Redis URL names no master: want redis-sentinel://host:port,host:port/master",
		"redis_cluster_database":             `the Redis URL asks for database "3": a Cluster has only 0`,

		"auth_unknown_mode":      `auth.mode is "basic": it must be none or jwt`,
		"auth_without_a_key":     "auth.mode is jwt: it must be with one of auth.secret, auth.secret_file and auth.jwks_url, and there are 0",
		"auth_two_keys":          "auth.mode is jwt: it must be with one of auth.secret, auth.secret_file and auth.jwks_url, and there are 2",
		"auth_two_secrets":       "auth.secret_file and auth.jwks_url, and there are 2",
		"auth_weak_secret":       "auth.secret is too weak: it must be 32 bytes or more",
		"auth_no_secret_file":    `auth.secret_file is "testdata/no-such-file": it must be a file that can be read`,
		"auth_weak_secret_file":  "auth.secret_file is too weak: it must be 32 bytes or more",
		"auth_bad_url":           "auth.jwks_url is no such URL: it must be an https URL",
		"auth_off_with_a_secret": "auth.mode is none: it must be jwt where auth.secret",
		"auth_claim_taken":       `auth.claim is "sub": it must be a claim of its own`,
		"auth_too_lenient":       "auth.leeway is 1h: it must be from 0s to 5m",
	}
	files, err := filepath.Glob("testdata/*.bad.yaml")
	if err != nil || len(files) != len(cases) {
		t.Fatalf("%d files, %d cases, %v", len(files), len(cases), err)
	}
	for name, want := range cases {
		_, _, err := parseCommand([]string{"--config", "testdata/" + name + ".bad.yaml"}, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "letmein") {
			t.Errorf("%s: got %v, want %s", name, err, want)
		}
	}
	for _, args := range [][]string{{"--port", "1"}, {"--config"}, {"serve"}} {
		if _, _, err := parseCommand(args, nil); err == nil {
			t.Errorf("%v was taken", args)
		}
	}
	if _, _, err := parseCommand(nil, []string{"HELIX_NO_SUCH=1"}); err == nil || !strings.Contains(err.Error(), "unknown variable HELIX_NO_SUCH") {
		t.Errorf("an unknown variable: %v", err)
	}
}

func TestParseCommand_defaultsAreValid_andAPartialFileKeepsThem(t *testing.T) {
	t.Parallel()
	_, cfg, err := parseCommand(nil, nil)
	if err != nil || cfg.Node.ID == "" {
		t.Fatalf("%+v, %v", cfg, err)
	}
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte("session:\n  max_clients: 7\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, partial, err := parseCommand([]string{"--config=" + file}, []string{"HELIX_NODE_ID=" + cfg.Node.ID})
	if err != nil || partial.Session.MaxClients != 7 {
		t.Fatalf("%+v, %v", partial, err)
	}
	partial.Session.MaxClients = cfg.Session.MaxClients
	var a, b bytes.Buffer
	_ = cfg.print(&a)
	_ = partial.print(&b)
	if a.String() != b.String() {
		t.Fatalf("%s\n%s", &a, &b)
	}
}

func TestRun_printsWhatItIsAskedFor(t *testing.T) {
	t.Parallel()
	secret := []string{
		"HELIX_REDIS_URL=redis://user:verysecret@127.0.0.1:1/0",
		"HELIX_AUTH_MODE=jwt", "HELIX_AUTH_SECRET=verysecret-" + strings.Repeat("x", 32),
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--help"}, "HELIX_SESSION_MAX_CLIENTS"}, {[]string{"config"}, "max_clients: 1000"},
		{[]string{"config"}, `secret: "(hidden)"`},
		{[]string{"config", "--markdown"}, "| `http.addr` | `HELIX_HTTP_ADDR` | `:4000` |"}, {[]string{"--version"}, "helix dev"},
	} {
		var out bytes.Buffer
		if err := run(c.args, secret, &out, &out); err != nil || !strings.Contains(out.String(), c.want) || strings.Contains(out.String(), "verysecret") {
			t.Errorf("%v: %v\n%s", c.args, err, out.String())
		}
	}
}

// The README's table of settings is made by the program, so that it cannot drift.
func TestReadme_hasTheSettingsAsTheyAre(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(readme), "<!-- config:begin -->\n")
	table, _, closed := strings.Cut(rest, "<!-- config:end -->")
	var want bytes.Buffer
	if err := writeMarkdown(&want); err != nil {
		t.Fatal(err)
	}
	if !ok || !closed || table != want.String() {
		t.Fatal("the table of settings in README.md is stale: put the output of 'bin/helix config --markdown' between its markers")
	}
}
