package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// CPUTime is CPU to the nanosecond, of the threads that live: for what takes less than many of CPU's steps.
func (p *Process) CPUTime() time.Duration {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", p.Pid))
	if err != nil || len(threads) == 0 {
		return p.CPU()
	}
	var sum time.Duration
	for _, file := range threads {
		data, err := os.ReadFile(file)
		if err != nil {
			continue // it ended
		}
		ran, _, _ := bytes.Cut(data, []byte(" "))
		n, err := strconv.ParseInt(string(ran), 10, 64)
		if err != nil {
			return p.CPU()
		}
		sum += time.Duration(n)
	}
	return sum
}

// MachineCPU is the time that all processors of the machine were busy: what is not ours in it is foreign
// load, which a measurement must tell.
func MachineCPU() time.Duration {
	data, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := bytes.Cut(data, []byte("\n"))
	var busy int64
	for i, field := range bytes.Fields(line) { // cpu, user, nice, system, idle, waiting for disks, interrupts
		if n, err := strconv.ParseInt(string(field), 10, 64); err == nil && i <= 7 && i != 4 && i != 5 {
			busy += n
		}
	}
	return time.Duration(busy) * 10 * time.Millisecond
}
