package main

import (
	"fmt"
	"os"
	"time"

	"helix/shared/lanes"
)

// lanesOptions are the section redis as lanes takes it.
func (c *Config) lanesOptions() lanes.Options {
	r := &c.Redis
	return lanes.Options{
		URL: r.URL, Prefix: r.KeyPrefix, Lanes: r.Lanes, Timeout: time.Duration(r.Timeout),
		Credentials: lanes.Credentials{Username: r.Username, Password: r.Password, PasswordFile: r.PasswordFile},
		Sentinel:    lanes.Credentials{Username: r.SentinelUsername, Password: r.SentinelPassword, PasswordFile: r.SentinelPasswordFile},
		TLS:         lanes.TLS{CAFile: r.TLSCAFile, CertFile: r.TLSCertFile, KeyFile: r.TLSKeyFile, ServerName: r.TLSServerName},
	}
}

// validateRedis checks how Redis is reached. It never shows a password.
func (c *Config) validateRedis(check func(ok bool, key string, value any, want string)) {
	r := &c.Redis
	set := func(value string) string {
		if value == "" {
			return "empty"
		}
		return "set"
	}
	if r.URL != "" {
		if err := lanes.CheckURL(r.URL); err != nil {
			check(false, "redis.url", "no such URL", fmt.Sprintf("a URL with the scheme %s; %v", lanes.Schemes, err))
			return
		}
	}
	for _, p := range []struct{ key, username, password, file string }{
		{"redis", r.Username, r.Password, r.PasswordFile},
		{"redis.sentinel", r.SentinelUsername, r.SentinelPassword, r.SentinelPasswordFile},
	} {
		dot := "."
		if p.key != "redis" {
			dot = "_"
		}
		password, file, username := p.key+dot+"password", p.key+dot+"password_file", p.key+dot+"username"
		check(p.password == "" || p.file == "", password, "set", "empty where "+file+" is set")
		check(p.username == "" || p.password+p.file != "", username, "set", "empty, or with "+password+" or "+file)
		if p.file != "" {
			_, err := os.ReadFile(p.file)
			check(err == nil, file, fmt.Sprintf("%q", p.file), "a file that can be read")
		}
	}
	own := r.Username + r.Password + r.PasswordFile
	check(r.URL != "" || own == "", "redis.password", set(own), "empty without redis.url: the embedded stand-in has no users")
	check(own == "" || !lanes.HasPassword(r.URL), "redis.password", "set", "empty where redis.url names a user or a password")
	check(r.SentinelUsername+r.SentinelPassword+r.SentinelPasswordFile == "" || lanes.UsesSentinel(r.URL), "redis.sentinel_password", "set", "empty where redis.url is not of sentinels")

	tls := r.TLSCAFile + r.TLSCertFile + r.TLSKeyFile + r.TLSServerName
	if tls != "" && !lanes.UsesTLS(r.URL) {
		check(false, "redis.url", "not for TLS", "one that begins with rediss where redis.tls_ca_file, redis.tls_cert_file, redis.tls_key_file or redis.tls_server_name is set")
		return
	}
	check((r.TLSCertFile == "") == (r.TLSKeyFile == ""), "redis.tls_cert_file", set(r.TLSCertFile), "set together with redis.tls_key_file")
	if err := (lanes.TLS{CAFile: r.TLSCAFile}).Check(); err != nil {
		check(false, "redis.tls_ca_file", fmt.Sprintf("%q", r.TLSCAFile), "a PEM file with certificates; "+err.Error())
	}
	if r.TLSCertFile != "" && r.TLSKeyFile != "" {
		if err := (lanes.TLS{CertFile: r.TLSCertFile, KeyFile: r.TLSKeyFile}).Check(); err != nil {
			check(false, "redis.tls_cert_file", fmt.Sprintf("%q", r.TLSCertFile), "a PEM file with a certificate that goes with redis.tls_key_file; "+err.Error())
		}
	}
}

// acl is the command that makes the user of an edge.
func (c *Config) acl() string {
	return "ACL SETUSER helix on >PASSWORD " + lanes.Rights(c.Redis.KeyPrefix, lanes.UsesCluster(c.Redis.URL))
}
