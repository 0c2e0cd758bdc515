// Command helix is an edge node: it serves the clients of any flow, and keeps nothing that must
// outlive it.
package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"helix/shared/telemetry"
)

// version is stamped in by the build.
var version = "dev"

func main() {
	if err := run(os.Args[1:], os.Environ(), os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "helix:", err)
		os.Exit(1)
	}
}

// run is main without the process: it returns when the edge has ended.
func run(args, environ []string, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == commandToken {
		return mint(args[1:], environ, stdout)
	}
	command, cfg, err := parseCommand(args, environ)
	if err != nil {
		return err
	}
	switch command {
	case commandHelp:
		return writeHelp(stdout)
	case commandConfig:
		return cfg.print(stdout)
	case commandConfigMarkdown:
		return writeMarkdown(stdout)
	case commandVersion:
		_, err := fmt.Fprintln(stdout, "helix", version)
		return err
	case commandACL:
		_, err := fmt.Fprintln(stdout, cfg.acl())
		return err
	case commandHealthcheck:
		return healthcheck(cfg, healthcheckTimeout)
	}
	log, err := telemetry.NewLogger(stderr, cfg.Log.Level, cfg.Log.Format, cfg.Node.ID)
	if err != nil {
		return err
	}
	tuneCollector(environ)
	edge, err := newEdge(cfg, log)
	if err != nil {
		return err
	}
	_, _ = fmt.Fprintf(stdout, "Helix %s is at %s\n", version, edge.url())
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	return edge.run(ctx)
}

// healthcheckTimeout is less than what an engine waits for its health check.
const healthcheckTimeout = 3 * time.Second

// healthcheck asks a running edge on this machine, within the time given, whether it is ready: for
// images without a shell.
func healthcheck(cfg Config, within time.Duration) error {
	// A transport of its own: a proxy that the environment names has no part in this.
	client := http.Client{Timeout: within, Transport: &http.Transport{DisableKeepAlives: true}}
	response, err := client.Get(localURL(cfg.HTTP.Addr) + "/readyz")
	if err != nil {
		return fmt.Errorf("ask the edge: %w", err)
	}
	_ = response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("the edge is not ready: %s", response.Status)
	}
	return nil
}
