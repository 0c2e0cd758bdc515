package main

import (
	"fmt"
	"os"
	"time"

	"helix/bench/internal/process"
)

// target is what is loaded.
type target struct {
	edges   []string // ws://host:port
	servers []*process.Process
	redis   *process.Process
}

func (t target) cpu() (sum time.Duration) {
	for _, p := range t.servers {
		sum += p.CPUTime()
	}
	return sum
}

func (t target) redisCPU() time.Duration {
	if t.redis == nil {
		return 0
	}
	return t.redis.CPUTime()
}

func (t target) resident() (sum int64) {
	for _, p := range t.servers {
		sum += p.Resident()
	}
	return sum
}

// meter is what everybody had used of the processors when it was started.
type meter struct {
	target                      target
	began                       time.Time
	server, redis, own, machine time.Duration
}

// cores is the processors that each used meanwhile.
type cores struct {
	Server    float64 `json:"server"`
	Redis     float64 `json:"redis"`
	Generator float64 `json:"generator"`
	Foreign   float64 `json:"foreign"` // of the machine's others: a figure made beside many of them says little
}

// beside tells of foreign load, where there was much.
func (c cores) beside() string {
	if c.Foreign < .1 {
		return ""
	}
	return fmt.Sprintf(" [beside %.1f foreign cores]", c.Foreign)
}

func (t target) startMeter() meter {
	return meter{t, time.Now(), t.cpu(), t.redisCPU(), ownCPU(), process.MachineCPU()}
}

func (m meter) read() cores {
	t, took := m.target, time.Since(m.began).Seconds()
	server, redis, own := t.cpu()-m.server, t.redisCPU()-m.redis, ownCPU()-m.own
	foreign := max(process.MachineCPU()-m.machine-server-redis-own, 0)
	return cores{server.Seconds() / took, redis.Seconds() / took, own.Seconds() / took, foreign.Seconds() / took}
}

func ownCPU() time.Duration { return (&process.Process{Pid: os.Getpid()}).CPUTime() }
