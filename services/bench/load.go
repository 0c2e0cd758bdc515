package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"helix/bench/internal/process"
)

// documents is what the flags say of a load on one flow with a document.
type documents struct {
	nodes, missed, slow int
	sync, short         bool
}

// loadCommand is one load of the operator's own.
func loadCommand(args []string, stdout, progress io.Writer) error {
	x := scenario{Name: "load"}
	var d documents
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(progress)
	flags.IntVar(&x.Clients, "clients", 1000, "clients in all")
	flags.IntVar(&x.Flows, "flows", 1, "flows that they are spread over")
	flags.IntVar(&x.Writers, "writers", 1, "of each flow's clients, those that change it")
	flags.Float64Var(&x.Rate, "rate", 20, "changes a second and flow; 0: only join")
	flags.IntVar(&x.Payload, "payload", 200, "bytes of a change")
	flags.DurationVar(&x.Duration, "duration", 20*time.Second, "how long to send changes")
	flags.IntVar(&x.Joining, "joining", 64, "joins under way at once")
	flags.DurationVar(&x.Settle, "settle", 0, "how long to wait before memory is read; 0: it is not read")
	flags.IntVar(&d.nodes, "nodes", 0, "of the document of one flow that the load is on; 0: flows without one")
	flags.BoolVar(&d.sync, "sync", true, "with --nodes: the members join with sync")
	flags.IntVar(&d.slow, "slow", 0, "with --nodes: of the members, those that read at 1% of the speed of the writers")
	flags.IntVar(&d.missed, "missed", 0, "with --nodes: the clients come back after so many changes, and nothing else happens")
	flags.BoolVar(&d.short, "short-log", false, "with --missed: the log of an edge that is started is shorter than that")
	edges := flags.String("edges", "", "edges to load, comma separated ws://host:port; empty: start some")
	pids := flags.String("pids", "", "with --edges: process ids of the edges on this machine, comma separated, for CPU and memory")
	spawn := flags.Int("spawn", 1, "without --edges: how many edges to start, on a Redis of their own")
	binary := flags.String("helix", "bin/helix", "the edge's binary")
	flags.BoolVar(&x.floor, "floor", false, "load the bare server instead")
	file := flags.String("json", "", "file to write the result to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	var t target
	stop := func() {}
	var err error
	switch {
	case *edges != "":
		t.edges = strings.Split(*edges, ",")
		for pid := range strings.SplitSeq(*pids, ",") {
			p := &process.Process{}
			if _, err := fmt.Sscan(pid, &p.Pid); err == nil {
				t.servers = append(t.servers, p)
			}
		}
	case x.floor:
		t, stop, err = startFloor()
	default:
		t, stop, err = startHelix(*binary, *spawn, d.settings()...)
	}
	defer stop()
	if err != nil {
		return err
	}
	if d.nodes > 0 {
		r, err := d.run(ctx, x, t, progress)
		if err != nil {
			return err
		}
		return errors.Join(encode(stdout, r), writeJSON(*file, r))
	}
	r, err := x.run(ctx, t, progress)
	if err != nil {
		return err
	}
	writeTable(stdout, []result{r})
	return writeJSON(*file, []result{r})
}

func (d documents) resume(clients int) resume {
	return resume{Name: "resume", Nodes: d.nodes, Missed: d.missed, Clients: clients, Short: d.short}
}

// settings are those of the edges that the load needs.
func (d documents) settings() []string {
	switch {
	case d.nodes == 0:
		return nil
	case d.missed > 0:
		return d.resume(0).settings()
	}
	return quickWriters()
}

// run is the load that the flags describe: who comes back, or a hot flow, or joins alone.
func (d documents) run(ctx context.Context, x scenario, t target, progress io.Writer) (any, error) {
	switch {
	case d.missed > 0:
		return d.resume(x.Clients).run(ctx, t, progress)
	case x.Rate > 0:
		return hot{
			Name: "hot", Nodes: d.nodes, Members: x.Clients, Writers: min(x.Writers, x.Clients), Rate: x.Rate, Duration: x.Duration,
			Sync: d.sync, Slow: min(d.slow, x.Clients-min(x.Writers, x.Clients)), Joining: x.Joining,
		}.run(ctx, t, progress)
	}
	return joins{Name: "joins", Nodes: d.nodes, Members: x.Clients, AtOnce: x.Joining, Storms: 1}.run(ctx, t, progress)
}

func writeTable(w io.Writer, results []result) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "case\tserver\tjoins/s\tCPU/join\tmemory/client\tchanges/s\tdeliveries/s\tlost\tdisorder\tended\tp50\tp95\tp99\tmax\tCPU/delivery\tserver cores\tRedis cores")
	for _, r := range results {
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%s\t%s\t%.0f\t%.0f\t%d\t%d\t%d\t%s\t%s\t%s\t%s\t%s\t%.2f\t%.2f\n", r.Scenario.Name, r.Server, r.JoinsPerSecond, micros(r.CPUPerJoin), kib(r.BytesPerClient),
			r.ChangesPerSec, r.DeliveriesPerS, r.Lost, r.OutOfOrder, r.Ended, millis(r.P50), millis(r.P95), millis(r.P99), millis(r.Max), micros(r.CPUPerDelivery), r.ServerCPU, r.RedisCPU)
	}
	_ = t.Flush()
}

func writeJSON(file string, results any) error {
	if file == "" {
		return nil
	}
	var b bytes.Buffer
	if err := encode(&b, results); err != nil {
		return err
	}
	return os.WriteFile(file, b.Bytes(), 0o644)
}

func encode(w io.Writer, results any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(results); err != nil {
		return fmt.Errorf("encode the results: %w", err)
	}
	return nil
}

func micros(d time.Duration) string { return fmt.Sprintf("%.1fµs", float64(d)/1e3) }
func millis(d time.Duration) string { return fmt.Sprintf("%.1fms", float64(d)/1e6) }

func kib(bytes int64) string {
	if bytes == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1fKiB", float64(bytes)/1024)
}
