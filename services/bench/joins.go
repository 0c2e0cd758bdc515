package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
	"helix/bench/internal/load"
)

// joins is storms of joins on a flow with a document: members that ask for it, and beside them members
// that do not, in turn on the same edge.
type joins struct {
	Name    string `json:"name"`
	Nodes   int    `json:"nodes"`
	Members int    `json:"joins"`
	AtOnce  int    `json:"joins_at_once"`
	Storms  int    `json:"storms"`
}

type joinsResult struct {
	Case  joins      `json:"case"`
	Sync  joinFigure `json:"sync"`
	Plain joinFigure `json:"plain"`
	Wrong int        `json:"wrong_documents"` // of those that were looked at
	Cores cores      `json:"cores"`
}

// joinFigure is what joins of one kind cost.
type joinFigure struct {
	Count    int           `json:"count"`
	CPU      time.Duration `json:"server_cpu_each_ns"`
	RedisCPU time.Duration `json:"redis_cpu_each_ns"`
	P50      time.Duration `json:"p50_ns"`
	P99      time.Duration `json:"p99_ns"`
	Bytes    int64         `json:"answer_bytes_each"`
}

// lookedAt is of how many members of a flow the documents are looked at: to read all costs the machine
// more than to serve them.
const lookedAt = 20

var withSync = []byte(`{"sync":true}`)

func (x joins) run(ctx context.Context, t target, progress io.Writer) (r joinsResult, err error) {
	r.Case = x
	meter := t.startMeter()
	defer func() { r.Cores = meter.read() }()
	s, err := openStage(ctx, t, "bench-joins", x.Nodes)
	if err != nil {
		return r, err
	}
	defer s.close()
	if err := s.move(x.Nodes / 2); err != nil { // a document that people work on: not as it was put down
		return r, err
	}
	want, _, err := s.document(ctx)
	if err != nil {
		return r, err
	}
	print := fingerprintOf(want)
	var sync, plain tally
	for range x.Storms {
		if _, err := s.storm(ctx, x.Members, x.AtOnce, []byte(`{}`), &plain, nil); err != nil {
			return r, err
		}
		answers, err := s.storm(ctx, x.Members, x.AtOnce, withSync, &sync, everyNth(x.Members))
		if err != nil {
			return r, err
		}
		for _, response := range answers {
			if fingerprintOfAnswer(response) != print {
				r.Wrong++
			}
		}
	}
	r.Sync, r.Plain = sync.figure(), plain.figure()
	_, _ = fmt.Fprintf(progress, "  helix %-28s %d joins with sync at %v of CPU each, without at %v\n", x.Name, r.Sync.Count, r.Sync.CPU, r.Plain.CPU)
	return r, nil
}

// everyNth chooses those that are looked at.
func everyNth(members int) func(i int) bool {
	step := max(members/lookedAt, 1)
	return func(i int) bool { return i%step == 0 }
}

func fingerprintOfAnswer(response []byte) fingerprint {
	if a, err := client.ParseAnswer(response); err == nil && a.Snapshot != nil {
		if t, err := judge.Parse(a.Snapshot.Document); err == nil {
			return fingerprintOf(t)
		}
	}
	return fingerprint{}
}

// tally adds up what joins cost.
type tally struct {
	took       load.Histogram
	count      int
	bytes      int64
	cpu, redis time.Duration
}

func (a *tally) figure() joinFigure {
	n := max(a.count, 1)
	return joinFigure{
		Count: a.count, CPU: a.cpu / time.Duration(n), RedisCPU: a.redis / time.Duration(n),
		P50: a.took.Quantile(.5), P99: a.took.Quantile(.99), Bytes: a.bytes / int64(n),
	}
}

// settled is how long the servers are given to end what a storm left to do: it counts for the storm.
const settled = 500 * time.Millisecond

// storm has members join, so many at a time, and go when all are in. It gives the answers of those that are
// looked at.
func (s *stage) storm(ctx context.Context, members, atOnce int, params []byte, a *tally, look func(int) bool) (answers [][]byte, err error) {
	var mu sync.Mutex
	in := make([]*client.Channel, 0, members)
	cpu, redis := s.target.cpu(), s.target.redisCPU()
	places := make(chan struct{}, atOnce)
	var joining sync.WaitGroup
	for i := range members {
		places <- struct{}{}
		joining.Go(func() {
			defer func() { <-places }()
			began := time.Now()
			c, response, failed := s.join(ctx, i, params, nil)
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			if failed != nil {
				err = errors.Join(err, failed)
				return
			}
			a.took.Add(took)
			a.bytes += int64(len(response))
			in = append(in, c)
			if look != nil && look(i) {
				answers = append(answers, response)
			}
		})
		mu.Lock()
		failed := err != nil
		mu.Unlock()
		if failed {
			break
		}
	}
	joining.Wait()
	wait(ctx, settled)
	a.count += len(in)
	a.cpu += s.target.cpu() - cpu
	a.redis += s.target.redisCPU() - redis
	for _, c := range in {
		_ = c.Close()
	}
	wait(ctx, settled) // their leaving is not the next storm's
	return answers, errors.Join(err, ctx.Err())
}
