package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helix/shared/lanes"
	"helix/shared/redistest"
	"helix/shared/redistest/servers"
)

// An edge serves on every kind of Redis, as a user with no more rights than the README gives it.
func TestEdge_servesOnEachKindOfRedis_withTheLeastRights(t *testing.T) {
	t.Parallel()
	plain, sharded := lanes.Rights("helix", false), lanes.Rights("helix", true)
	for _, c := range []struct {
		name     string
		start    func(servers.Options) (*servers.Redis, error)
		options  servers.Options
		settings func(r *servers.Redis) []string
	}{
		{"a managed service's URL", servers.Single, servers.Options{TLS: true, Rights: plain}, func(r *servers.Redis) []string {
			return []string{"HELIX_REDIS_URL=" + r.FullURL(), "HELIX_REDIS_TLS_CA_FILE=" + r.Certificates.CAFile} // a test's authority is not the system's
		}},
		{"TLS with certificates of both", servers.Single, servers.Options{TLS: true, Mutual: true, Rights: plain}, func(r *servers.Redis) []string {
			return append(mutual(r), "HELIX_REDIS_URL="+r.URL, "HELIX_REDIS_USERNAME="+r.Username, "HELIX_REDIS_PASSWORD="+r.Password)
		}},
		{"a Unix socket", servers.Single, servers.Options{Socket: true, Rights: plain}, func(r *servers.Redis) []string {
			return []string{"HELIX_REDIS_URL=unix://" + r.Servers[0].Socket, "HELIX_REDIS_USERNAME=" + r.Username, "HELIX_REDIS_PASSWORD=" + r.Password}
		}},
		{"Sentinel with TLS", servers.Sentinel, servers.Options{Replicas: 1, TLS: true, Mutual: true, Rights: plain, SentinelRights: lanes.SentinelRights()}, func(r *servers.Redis) []string {
			return append(mutual(r), "HELIX_REDIS_URL="+r.URL, "HELIX_REDIS_USERNAME="+r.Username, "HELIX_REDIS_PASSWORD_FILE="+file(t, r.Password),
				"HELIX_REDIS_SENTINEL_USERNAME="+r.SentinelUsername, "HELIX_REDIS_SENTINEL_PASSWORD_FILE="+file(t, r.SentinelPassword))
		}},
		{"Cluster with TLS, by one name", servers.Cluster, servers.Options{TLS: true, Rights: sharded, Names: []string{"redis.example"}}, func(r *servers.Redis) []string {
			_, port, _ := strings.Cut(r.Servers[1].Addr, ":")
			return []string{"HELIX_REDIS_URL=rediss-cluster://localhost:" + port, "HELIX_REDIS_TLS_SERVER_NAME=redis.example", "HELIX_REDIS_TLS_CA_FILE=" + r.Certificates.CAFile,
				"HELIX_REDIS_USERNAME=" + r.Username, "HELIX_REDIS_PASSWORD_FILE=" + file(t, r.Password)}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			redis := redistest.Begin(t, c.start, c.options)
			environ := c.settings(redis)
			a, b := start(t, environ...), start(t, environ...)
			if code, body := a.get("/readyz"); code != 200 {
				t.Fatalf("readyz %d %s", code, body)
			}
			ann, bob := a.dial(), b.dial()
			ann.ask(`["1","1","flow:f","phx_join",{"sync":true,"presence":{}}]`, `"client_count":1`)
			bob.ask(`["1","1","flow:f","phx_join",{"sync":true,"presence":{}}]`, `"client_count":2`)
			ann.ask(`["1","2","flow:f","flow_change",{"changes":{"n":1},"change_id":1}]`, `"seq":1`)
			if got := bob.read("flow_update"); !strings.Contains(got, `{"n":1}`) {
				t.Fatal(got)
			}
			if code, body := b.get("/api/flows/f"); code != 200 || strings.TrimSpace(body) != `{"n":1}` {
				t.Fatalf("the document: %d %s", code, body)
			}
			if code, body := b.get("/api/flows"); code != 200 || !strings.Contains(body, `"client_count":2`) {
				t.Fatalf("the list: %d %s", code, body)
			}
			for _, s := range append(redis.Sentinels, redis.Servers...) { // nothing was refused that no answer tells of
				if refused, err := s.Admin().Do(context.Background(), "ACL", "LOG").Slice(); err != nil || len(refused) > 0 {
					t.Errorf("%s refused: %v, %v", s.Name, refused, err)
				}
			}
		})
	}
}

func mutual(r *servers.Redis) []string {
	c := r.Certificates
	return []string{"HELIX_REDIS_TLS_CA_FILE=" + c.CAFile, "HELIX_REDIS_TLS_CERT_FILE=" + c.ClientCert, "HELIX_REDIS_TLS_KEY_FILE=" + c.ClientKey}
}

// file holds a secret as Kubernetes mounts one, or as an editor leaves it.
func file(t *testing.T, secret string) string {
	name := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(name, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// The README's lines for ACL SETUSER are what the tests run as.
func TestReadme_hasTheRightsAsTheyAre(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if line := "ACL SETUSER helix on >PASSWORD " + lanes.SentinelRights() + "\n"; !strings.Contains(string(readme), "\n"+line) {
		t.Errorf("README.md lacks the line\n%s", line)
	}
	for _, url := range []string{"redis://127.0.0.1", "redis-cluster://127.0.0.1"} {
		var line bytes.Buffer
		if err := run([]string{"acl"}, []string{"HELIX_REDIS_URL=" + url}, &line, io.Discard); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(readme), "\n"+line.String()) {
			t.Errorf("README.md lacks the line\n%s", &line)
		}
	}
}
