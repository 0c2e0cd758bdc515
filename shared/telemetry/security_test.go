package telemetry_test

import (
	"bytes"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"helix/shared/telemetry"
)

func TestSecurityLog_isBounded_andSaysWhatItLeftOut(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	now := time.Unix(1, 0)
	log := telemetry.NewSecurityLog(slog.New(slog.NewTextHandler(&out, nil)), func() time.Time { return now })
	for range 1000 {
		log.Tell(telemetry.SecurityOrigin, "origin", "https://evil.example")
	}
	if n := strings.Count(out.String(), "\n"); n != 20 {
		t.Fatalf("%d lines of 1000", n)
	}
	log.Tell(telemetry.SecurityToken, "address", "192.0.2.1") // another event is not hidden by it
	if !strings.Contains(out.String(), "event=token_refused address=192.0.2.1") {
		t.Fatal(out.String())
	}
	now = now.Add(2 * time.Second)
	out.Reset()
	for range 10 {
		log.Tell(telemetry.SecurityOrigin, "origin", "https://evil.example")
	}
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(lines) != 2 || !strings.HasSuffix(lines[0], "left_out=980") || strings.Contains(lines[1], "left_out") {
		t.Fatalf("%q", lines)
	}
}

// The attack: fill the log, or break its lines, with what a client may choose.
func TestSecurityLog_cutsAndQuotesWhatClientsChose(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := telemetry.NewSecurityLog(slog.New(slog.NewTextHandler(&out, nil)), nil)
	log.Tell(telemetry.SecurityOrigin, "origin", "x\nlevel=INFO msg=\"all is well\""+strings.Repeat("y", 30_000))
	if got := out.String(); strings.Count(got, "\n") != 1 || len(got) > 600 {
		t.Fatalf("%d bytes, %q", len(got), got)
	}
	var none *telemetry.SecurityLog
	none.Tell(telemetry.SecurityOrigin)
	telemetry.NewSecurityLog(slog.New(slog.NewTextHandler(io.Discard, nil)), nil).Tell(telemetry.SecurityRight)
}
