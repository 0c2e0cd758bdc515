package main

import (
	"context"
	"fmt"
	"io"
	"time"
)

// documentCase is a case on a flow with a document: Helix alone, for the bare server has none.
type documentCase struct {
	name string
	run  func(ctx context.Context, binary string, progress io.Writer) (rows []row, figures []any, err error)
}

// documentCases are those of the project's README.
func documentCases(quick bool) []documentCase {
	const nodes = 500
	const rate = 2000.0
	members, storms, missed, again, long, slow := 1000, 3, 10_000, 20, 15*time.Second, 40*time.Second // the kernel is patient with slow readers
	if quick {
		members, storms, missed, again, long, slow = 200, 1, 2000, 4, 4*time.Second, 4*time.Second
	}
	rolling := roll{Name: "rolling deploy", Edges: 3, Clients: 3000, Flows: 300, Rate: 1, Drain: 10 * time.Second, Grace: 30 * time.Second}
	if quick {
		rolling.Clients, rolling.Flows, rolling.Drain = 600, 60, 2*time.Second
	}
	busy := hot{Name: "hot flow", Nodes: nodes, Members: members, Writers: 40, Rate: rate, Duration: long, Joining: 64, Sync: true}
	return []documentCase{
		joins{Name: "joins with sync", Nodes: nodes, Members: members / 2, AtOnce: 64, Storms: storms}.asCase(),
		resume{Name: "resume", Nodes: nodes, Missed: missed, Clients: again}.asCase("by the log"),
		resume{Name: "resume, log too short", Nodes: nodes, Missed: missed, Clients: again, Short: true}.asCase("by the document"),
		busy.asCase(),
		busy.hotter().asCase(),
		hot{Name: "slow readers", Nodes: nodes, Members: members / 10, Writers: members / 50, Rate: rate / 2, Duration: slow, Joining: 64, Sync: true, Slow: members / 50}.asSlowCase(),
		rolling.asCase(),
	}
}

// hotter is more than can be brought to each one by one.
func (x hot) hotter() hot {
	x.Name, x.Rate = "hotter flow", 4*x.Rate
	return x
}

// on runs a load on servers of its own.
func on[R any](ctx context.Context, binary string, settings []string, run func(context.Context, target, io.Writer) (R, error), progress io.Writer) (r R, err error) {
	t, stop, err := startHelix(binary, 1, settings...)
	defer stop()
	if err != nil {
		return r, err
	}
	return run(ctx, t, progress)
}

func (x joins) asCase() documentCase {
	return documentCase{x.Name, func(ctx context.Context, binary string, progress io.Writer) ([]row, []any, error) {
		r, err := on(ctx, binary, quickWriters(), x.run, progress)
		seen := fmt.Sprintf("%s CPU, p50 %s, p99 %s, %s (without sync: %s, p50 %s, p99 %s)%s", micros(r.Sync.CPU), millis(r.Sync.P50), millis(r.Sync.P99), kib(r.Sync.Bytes),
			micros(r.Plain.CPU), millis(r.Plain.P50), millis(r.Plain.P99), r.Cores.beside())
		return []row{{fmt.Sprintf("each of %d joins at once that bring %d nodes", x.Members, x.Nodes), seen, "under 1 ms CPU, all documents right", r.Sync.CPU < time.Millisecond && r.Wrong == 0}}, []any{r}, err
	}}
}

func (x resume) asCase(how string) documentCase {
	return documentCase{x.Name, func(ctx context.Context, binary string, progress io.Writer) ([]row, []any, error) {
		r, err := on(ctx, binary, x.settings(), x.run, progress)
		seen := fmt.Sprintf("%s CPU, p50 %s, %s; %d at once %s, p50 %s%s", millis(r.Alone.CPU), millis(r.Alone.P50), kib(r.Alone.Bytes), x.Clients, millis(r.Together.CPU), millis(r.Together.P50), r.Cores.beside())
		right := r.Wrong == 0 && (r.ByLog == 0) == x.Short && (r.ByDocument == 0) != x.Short
		return []row{{fmt.Sprintf("each that comes back after %d changes, %s", x.Missed, how), seen, "under 50 ms CPU, all documents right", r.Alone.CPU < 50*time.Millisecond && right}}, []any{r}, err
	}}
}

// asCase runs the load with members that are caught up, and then with members that are not.
func (x hot) asCase() documentCase {
	return documentCase{x.Name, func(ctx context.Context, binary string, progress io.Writer) ([]row, []any, error) {
		r, err := on(ctx, binary, quickWriters(), x.run, progress)
		if err != nil {
			return nil, nil, err
		}
		plain := x
		plain.Name, plain.Sync = x.Name+", plain", false
		p, err := on(ctx, binary, quickWriters(), plain.run, progress)
		what := fmt.Sprintf("%d members with sync, %.0f changes/s", x.Members, x.Rate)
		return []row{
			{what + ": nothing closed, all end with the same document", fmt.Sprintf("%d closed, %d behind, %d of %d documents differ, %d frames that do not follow; %d updates, %d catch-ups%s", r.ended(), r.Behind, r.Differ, r.Looked, r.Broken, r.Updates, r.Catchups, r.Cores.beside()),
				"0, 0, 0, 0", r.ended() == 0 && r.Behind == 0 && r.Differ == 0 && r.Broken == 0},
			{"the same: from a change's sending to the first frame that covers it", fmt.Sprintf("p50 %s, p99 %s (plain members: p50 %s, p99 %s)", millis(r.P50), millis(r.P99), millis(p.P50), millis(p.P99)), "p99 under 2 s", r.P99 < 2*time.Second},
			{"the same: changes/s that a core of the edge takes and brings to all", fmt.Sprintf("%.0f: %.0f/s on %.2f cores (plain members: %.0f: %.0f/s on %.2f cores, %d of %d closed%s)",
				r.PerCore(), r.PerSecond, r.Cores.Server, p.PerCore(), p.PerSecond, p.Cores.Server, p.ended(), x.Members, p.Cores.beside()), "0.9 of plain, where those hold", r.PerCore() >= .9*p.PerCore() || p.ended() > 0},
		}, []any{r, p}, err
	}}
}

// asSlowCase runs the load with the slow members, and then with all as fast as the others.
func (x hot) asSlowCase() documentCase {
	return documentCase{x.Name, func(ctx context.Context, binary string, progress io.Writer) ([]row, []any, error) {
		without := x
		without.Name, without.Slow = x.Name+": none", 0
		p, err := on(ctx, binary, quickWriters(), without.run, progress)
		if err != nil {
			return nil, nil, err
		}
		r, err := on(ctx, binary, quickWriters(), x.run, progress)
		memory := func(r hotResult) int64 { return r.Peak - r.Resident }
		each := (memory(r) - memory(p)) / int64(max(x.Slow, 1))
		return []row{
			{fmt.Sprintf("%d of %d members read at 1%% of %.0f changes/s: nothing closed, all end with the same document", x.Slow, x.Members, x.Rate),
				fmt.Sprintf("%d closed, %d behind, %d of %d documents differ; when the writers stopped the slow were up to %d changes behind%s", r.ended(), r.Behind, r.Differ, r.Looked, r.SlowBehind, r.Cores.beside()),
				"0, 0, 0", r.ended() == 0 && r.Behind == 0 && r.Differ == 0},
			{"the same: the others", fmt.Sprintf("p50 %s, p99 %s (without slow ones: p50 %s, p99 %s)", millis(r.P50), millis(r.P99), millis(p.P50), millis(p.P99)), "p99 at most twice that without", r.P99 <= 2*p.P99},
			{"the same: the edge's memory", fmt.Sprintf("%s more than at rest (without slow ones: %s): %s a slow one", kib(memory(r)), kib(memory(p)), kib(each)), "under 1 MiB a slow one", each < 1<<20},
		}, []any{p, r}, err
	}}
}
