package main

import (
	"fmt"

	"helix/bench/internal/process"
)

// startHelix starts a Redis and edges, with settings of their own.
func startHelix(binary string, edges int, environ ...string) (t target, stop func(), err error) {
	var all []*process.Process
	stop = func() {
		for i := len(all) - 1; i >= 0; i-- {
			all[i].Stop()
		}
	}
	if t.redis, err = process.Redis(); err != nil {
		return t, stop, err
	}
	all = append(all, t.redis)
	for i := range edges {
		p, err := process.Edge(binary, fmt.Sprintf("edge-%d", i+1), t.redis, environ...)
		if err != nil {
			stop()
			return t, func() {}, err
		}
		all = append(all, p)
		t.servers = append(t.servers, p)
		t.edges = append(t.edges, "ws://"+p.Addr)
	}
	return t, stop, nil
}

func startFloor() (t target, stop func(), err error) {
	p, err := process.Floor()
	if err != nil {
		return t, func() {}, err
	}
	return target{edges: []string{"ws://" + p.Addr}, servers: []*process.Process{p}}, func() { p.Stop() }, nil
}
