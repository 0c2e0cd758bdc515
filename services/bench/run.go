package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"
)

// goal is a case with what it is to show.
type goal struct {
	scenario
	what string
	// verdict gives the figure, the target and whether it is reached.
	verdict func(helix, floor result) (figure, target string, reached bool)
}

func goals(quick bool) []goal {
	long, settle, idle := 20*time.Second, 8*time.Second, 10_000
	if quick {
		long, settle, idle = 5*time.Second, 2*time.Second, 2000
	}
	hot := scenario{Clients: 1000, Flows: 1, Writers: 1, Rate: 20, Payload: 200, Duration: long, Joining: 64}
	storm := hot
	storm.Writers, storm.Rate = 8, 400
	joins := scenario{Clients: idle / 2, Flows: idle / 10, Joining: 64, Writers: 1}
	one := scenario{Clients: 1000, Flows: 1, Joining: 64, Writers: 1}
	return []goal{
		{scenario{Name: "idle", Clients: idle, Flows: idle / 10, Writers: 1, Joining: 64, Settle: settle}, "resident memory of an idle joined connection",
			func(h, f result) (string, string, bool) {
				return fmt.Sprintf("%s (bare %s)", kib(h.BytesPerClient), kib(f.BytesPerClient)), "under 8 KiB", h.BytesPerClient < 8<<10
			}},
		{named(hot, "1000 members, 20/s"), "CPU a delivery against the bare server",
			func(h, f result) (string, string, bool) {
				ratio := float64(h.CPUPerDelivery) / float64(max(f.CPUPerDelivery, 1))
				return fmt.Sprintf("%.2f (%s to %s)", ratio, micros(h.CPUPerDelivery), micros(f.CPUPerDelivery)), "at most 1.1", ratio <= 1.1
			}},
		{named(hot, "1000 members, 20/s"), "latency of the same",
			func(h, f result) (string, string, bool) {
				return fmt.Sprintf("p99 %s (bare %s)", millis(h.P99), millis(f.P99)), "p99 under 30 ms", h.P99 < 30*time.Millisecond
			}},
		{named(storm, "1000 members, 400/s"), "nothing lost, in order, latency",
			func(h, f result) (string, string, bool) {
				return fmt.Sprintf("lost %d, disorder %d, p99 %s, %.0f deliveries/s at %s (bare: p99 %s, %.0f at %s)", h.Lost, h.OutOfOrder, millis(h.P99), h.DeliveriesPerS, micros(h.CPUPerDelivery), millis(f.P99), f.DeliveriesPerS, micros(f.CPUPerDelivery)),
					"0, 0, p99 under 1 s", h.Lost == 0 && h.OutOfOrder == 0 && h.P99 < time.Second
			}},
		{scenario{Name: "1000 flows of 5, 1/s", Clients: 5000, Flows: 1000, Writers: 1, Rate: 1, Payload: 200, Duration: long, Joining: 64}, "CPU a delivery with many small flows",
			func(h, f result) (string, string, bool) {
				return fmt.Sprintf("%s (bare %s)", micros(h.CPUPerDelivery), micros(f.CPUPerDelivery)), "under 45 µs", h.CPUPerDelivery < 45*time.Microsecond
			}},
		{named(joins, "joins, flows of 5"), "CPU a join, the connection included",
			func(h, f result) (string, string, bool) {
				return fmt.Sprintf("%s (bare %s), %.0f/s", micros(h.CPUPerJoin), micros(f.CPUPerJoin), h.JoinsPerSecond), "under 100 µs", h.CPUPerJoin < 100*time.Microsecond
			}},
		{named(one, "1000 joins of one flow"), "CPU a join, the connection included",
			func(h, f result) (string, string, bool) {
				return fmt.Sprintf("%s (bare %s), %.0f/s", micros(h.CPUPerJoin), micros(f.CPUPerJoin), h.JoinsPerSecond), "under 150 µs", h.CPUPerJoin < 150*time.Microsecond
			}},
	}
}

func named(x scenario, name string) scenario {
	x.Name = name
	return x
}

// runCommand runs the cases that the README quotes. It reports; it never fails because of a figure.
func runCommand(args []string, stdout, progress io.Writer) error {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	flags.SetOutput(progress)
	quick := flags.Bool("quick", false, "shorter and smaller")
	only := flags.String("only", "", "of the cases, those whose name has this in it")
	binary := flags.String("helix", "bin/helix", "the edge's binary")
	file := flags.String("json", "", "file to write all figures to")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer cancel()
	done := map[string][2]result{} // by case: cases that ask two things run once
	var all []result
	var figures []any
	t := tabwriter.NewWriter(stdout, 0, 0, 1, ' ', 0)
	fmt.Fprintln(t, "| case\t| what\t| seen\t| target\t| reached\t|\n| ---\t| ---\t| ---\t| ---\t| ---\t|")
	for _, g := range goals(*quick) {
		if !strings.Contains(g.Name, *only) {
			continue
		}
		pair, ok := done[g.Name]
		if !ok {
			var err error
			if pair, err = sideBySide(ctx, g.scenario, *binary, progress); err != nil {
				return fmt.Errorf("%s: %w", g.Name, err)
			}
			done[g.Name] = pair
			all = append(all, pair[0], pair[1])
			figures = append(figures, pair[0], pair[1])
		}
		figure, target, reached := g.verdict(pair[0], pair[1])
		row{g.what, figure, target, reached}.write(t, g.Name)
	}
	for _, d := range documentCases(*quick) {
		if !strings.Contains(d.name, *only) {
			continue
		}
		rows, seen, err := d.run(ctx, *binary, progress)
		if err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
		figures = append(figures, seen...)
		for _, r := range rows {
			r.write(t, d.name)
		}
	}
	writeTable(progress, all)
	if err := t.Flush(); err != nil {
		return err
	}
	return writeJSON(*file, figures)
}

// row is one line of the table.
type row struct {
	what, seen, target string
	reached            bool
}

func (r row) write(w io.Writer, name string) {
	yes := map[bool]string{true: "yes", false: "no"}[r.reached]
	fmt.Fprintf(w, "| %s\t| %s\t| %s\t| %s\t| %s\t|\n", name, r.what, r.seen, r.target, yes)
}

// sideBySide runs a case on fresh servers: first Helix, then the bare one.
func sideBySide(ctx context.Context, x scenario, binary string, progress io.Writer) (pair [2]result, err error) {
	for i, start := range []func() (target, func(), error){
		func() (target, func(), error) { return startHelix(binary, 1) }, startFloor,
	} {
		t, stop, err := start()
		if err != nil {
			stop()
			return pair, err
		}
		x.floor = i == 1
		pair[i], err = x.run(ctx, t, progress)
		stop()
		if err != nil {
			return pair, err
		}
	}
	return pair, nil
}
