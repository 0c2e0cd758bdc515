package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
)

// resume is clients that come back after they missed changes. Each stands where the others do, and the
// flow goes on between them: so nothing is ready for the second that the first had made.
type resume struct {
	Name    string `json:"name"`
	Nodes   int    `json:"nodes"`
	Missed  int    `json:"missed_changes"`
	Clients int    `json:"clients"`
	// Short: the log is shorter than what is missed, so the document comes.
	Short bool `json:"log_is_shorter"`
}

type resumeResult struct {
	Case       resume     `json:"case"`
	Alone      joinFigure `json:"one_by_one"`
	Together   joinFigure `json:"at_once"`
	ByLog      int        `json:"got_the_changes"`
	ByDocument int        `json:"got_the_document"`
	Wrong      int        `json:"wrong_documents"`
	Cores      cores      `json:"cores"`
}

// settings are the edge's: its log reaches back far enough, or not.
func (x resume) settings() []string {
	keep := x.Missed + x.Missed/5 + 1000
	if x.Short {
		keep = x.Missed / 10
	}
	return append(quickWriters(), fmt.Sprintf("HELIX_DOCUMENT_LOG_CHANGES=%d", keep))
}

// trimmed bounds the wait until a log is cut: the leaseholder looks every 5 s.
const trimmed = 45 * time.Second

func (x resume) run(ctx context.Context, t target, progress io.Writer) (r resumeResult, err error) {
	r.Case = x
	meter := t.startMeter()
	defer func() { r.Cores = meter.read() }()
	s, err := openStage(ctx, t, "bench-resume", x.Nodes)
	if err != nil {
		return r, err
	}
	defer s.close()
	base, from, err := s.document(ctx)
	if err != nil {
		return r, err
	}
	before := judge.Text(base)
	if err := s.move(x.Missed); err != nil {
		return r, err
	}
	params := s.resumeFrom(from)
	if x.Short {
		if err := s.awaitTrim(ctx, params); err != nil {
			return r, err
		}
	}
	all := func(int) bool { return true }
	check := func(answers [][]byte) error {
		want, _, err := s.document(ctx)
		if err != nil {
			return err
		}
		print := fingerprintOf(want)
		for _, response := range answers {
			got, byLog, err := caughtUp(before, response)
			if err != nil {
				return err
			}
			if fingerprintOf(got) != print {
				r.Wrong++
			}
			if byLog {
				r.ByLog++
			} else {
				r.ByDocument++
			}
		}
		return nil
	}
	var alone, together tally
	for range x.Clients {
		if err := s.move(1); err != nil {
			return r, err
		}
		wait(ctx, settled)
		answers, err := s.storm(ctx, 1, 1, params, &alone, all)
		if err == nil {
			err = check(answers)
		}
		if err != nil {
			return r, err
		}
	}
	if err := s.move(1); err != nil {
		return r, err
	}
	answers, err := s.storm(ctx, x.Clients, x.Clients, params, &together, all)
	if err == nil {
		err = check(answers)
	}
	r.Alone, r.Together = alone.figure(), together.figure()
	_, _ = fmt.Fprintf(progress, "  helix %-28s %d resumes at %v of CPU each, at once %v\n", x.Name, r.Alone.Count, r.Alone.CPU, r.Together.CPU)
	return r, err
}

// awaitTrim waits until the log does not reach back any more. A change before each try has the edge forget
// what it read for the last.
func (s *stage) awaitTrim(ctx context.Context, params []byte) error {
	for deadline := time.Now().Add(trimmed); time.Now().Before(deadline); {
		if err := s.move(1); err != nil {
			return err
		}
		c, response, err := s.join(ctx, 0, params, nil)
		if err != nil {
			return err
		}
		_ = c.Close()
		if a, err := client.ParseAnswer(response); err != nil || a.Snapshot != nil {
			return err
		}
		wait(ctx, time.Second)
	}
	return errors.New("the log was not cut")
}

// caughtUp is the document that a client has after its resume.
func caughtUp(before string, response []byte) (t judge.Tree, byLog bool, err error) {
	a, err := client.ParseAnswer(response)
	switch {
	case err != nil:
		return nil, false, err
	case a.Snapshot != nil:
		t, err = judge.Parse(a.Snapshot.Document)
		return t, false, err
	case !a.Resumed:
		return nil, false, fmt.Errorf("the answer to a resume has neither changes nor a document: %.200s", response)
	}
	if t, err = judge.Parse([]byte(before)); err != nil {
		return nil, false, err
	}
	for _, c := range a.Changes {
		patch, err := judge.Parse(c.Changes)
		if err != nil {
			return nil, false, err
		}
		t = judge.Merge(t, patch)
	}
	return t, true, nil
}

// quickWriters has the edges let a client write as fast as it can, for the load is the bench's to bound, and
// take its own clients beside those that it counts.
func quickWriters() []string {
	return []string{"HELIX_CHANGE_RATE=1000000", "HELIX_CHANGE_BURST=1000000", "HELIX_SESSION_MAX_CLIENTS=100000"}
}
