package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"helix/bench/internal/faults"
)

// checkResult is what runs that found nothing have to show.
type checkResult struct {
	Seeds    []uint64            `json:"seeds"`
	Seconds  float64             `json:"seconds"`
	Rounds   int                 `json:"rounds"`
	Edges    int                 `json:"edges"`
	Flows    int                 `json:"flows"`
	Changes  int64               `json:"changes"`
	Acked    int64               `json:"acknowledged"`
	Unknown  int64               `json:"given_up_without_an_answer"`
	Repeats  int64               `json:"sent_again"`
	Refused  int64               `json:"refused_for_now"`
	Seen     int64               `json:"deliveries"`
	Connects int64               `json:"connects"`
	Resumes  int64               `json:"resumes"`
	Syncs    int64               `json:"syncs"`
	Catchups int64               `json:"catchups"`
	TooSlow  int64               `json:"closed_as_too_slow"`
	TooLarge int64               `json:"refused_for_good"`
	Errors   int64               `json:"channel_errors"`
	Signals  int64               `json:"signals_heard"`
	Epochs   int64               `json:"new_epochs"`
	Counts   float64             `json:"seconds_until_counts_were_right_at_most"`
	Longest  float64             `json:"seconds_without_an_acknowledged_change_at_most"`
	Redis    faults.Mode         `json:"redis"`
	Faults   map[faults.Kind]int `json:"faults"`
}

func (c *check) result() checkResult {
	s := &c.world.Stats
	return checkResult{
		Seeds: []uint64{c.seed}, Seconds: time.Since(c.began).Seconds(), Rounds: c.rounds, Edges: c.Edges, Flows: c.Flows,
		Changes: s.Changes.Load(), Acked: s.Acked.Load(), Unknown: s.Unknown.Load(), Repeats: s.Repeats.Load(), Refused: s.Refused.Load(),
		Seen: s.Deliveries.Load(), Connects: s.Connects.Load(), Resumes: s.Resumes.Load(), Syncs: s.Syncs.Load(), Catchups: s.Catchups.Load(),
		TooSlow: s.TooSlow.Load(), TooLarge: s.TooLarge.Load(), Errors: s.Errors.Load(), Signals: s.Signals.Load(), Epochs: s.Epochs.Load(),
		Counts: time.Duration(s.Slowest.Load()).Seconds(), Longest: time.Duration(s.Longest.Load()).Seconds(), Redis: c.Redis, Faults: c.done,
	}
}

// add puts the runs of other seeds to it.
func (r *checkResult) add(o checkResult) {
	r.Seeds = append(r.Seeds, o.Seeds...)
	r.Seconds += o.Seconds
	r.Rounds += o.Rounds
	r.Edges, r.Flows = o.Edges, o.Flows
	for _, sum := range []struct {
		to   *int64
		more int64
	}{
		{&r.Changes, o.Changes}, {&r.Acked, o.Acked}, {&r.Unknown, o.Unknown}, {&r.Repeats, o.Repeats}, {&r.Refused, o.Refused}, {&r.Seen, o.Seen},
		{&r.Connects, o.Connects}, {&r.Resumes, o.Resumes}, {&r.Syncs, o.Syncs}, {&r.Catchups, o.Catchups}, {&r.TooSlow, o.TooSlow}, {&r.TooLarge, o.TooLarge},
		{&r.Errors, o.Errors}, {&r.Signals, o.Signals}, {&r.Epochs, o.Epochs},
	} {
		*sum.to += sum.more
	}
	r.Counts, r.Longest, r.Redis = max(r.Counts, o.Counts), max(r.Longest, o.Longest), o.Redis
	if r.Faults == nil {
		r.Faults = map[faults.Kind]int{}
	}
	for k, n := range o.Faults {
		r.Faults[k] += n
	}
}

func (r *checkResult) write(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "seeds\t%s\n", strings.Trim(fmt.Sprint(r.Seeds), "[]"))
	fmt.Fprintf(t, "duration\t%.0f s, %d rounds, %d edges, %d flows, Redis as %s\n", r.Seconds, r.Rounds, r.Edges, r.Flows, r.Redis)
	fmt.Fprintf(t, "changes\t%d, acknowledged %d, given up without an answer %d\n", r.Changes, r.Acked, r.Unknown)
	fmt.Fprintf(t, "sent again\t%d, refused for now %d, for good %d\n", r.Repeats, r.Refused, r.TooLarge)
	fmt.Fprintf(t, "deliveries\t%d, catch-ups %d, signals %d, closed as too slow %d\n", r.Seen, r.Catchups, r.Signals, r.TooSlow)
	fmt.Fprintf(t, "connects\t%d, resumed %d, documents sent %d, channels that failed %d\n", r.Connects, r.Resumes, r.Syncs, r.Errors)
	fmt.Fprintf(t, "new epochs\t%d\n", r.Epochs)
	fmt.Fprintf(t, "counts and presence\tright after %.2f s at most\n", r.Counts)
	fmt.Fprintf(t, "without an acknowledged change\ta flow was for %.2f s at most\n", r.Longest)
	total := 0
	var kinds []string
	for k, n := range r.Faults {
		total += n
		kinds = append(kinds, fmt.Sprintf("%s %d", k, n))
	}
	slices.Sort(kinds)
	fmt.Fprintf(t, "faults\t%d: %s\n", total, strings.Join(kinds, ", "))
	_ = t.Flush()
}

func (r *checkResult) writeJSON(file string) error {
	if file == "" {
		return nil
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("encode the result: %w", err)
	}
	return os.WriteFile(file, append(data, '\n'), 0o644)
}
