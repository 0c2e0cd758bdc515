// Command bench measures Helix from outside, over the wire alone: load and latency, CPU a delivery and
// a join, memory a connection; beside a bare server in the same run. And it tries to make Helix lose an
// acknowledged change.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
)

const usage = `bench: measure Helix over the wire, and try to break it

  bench run [--quick] [--helix FILE]   the cases that the README quotes, Helix and the bare server side by side
  bench load [flags]                   one load of your own; bench load --help
  bench check [--seed N] [flags]       the adversary: tries to lose an acknowledged change; bench check --help
  bench floor [--addr HOST:PORT]       the bare server alone
`

func main() {
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			fmt.Fprintln(os.Stderr, "bench:", err)
		}
		os.Exit(1)
	}
}

func run(args []string, stdout, progress io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "run":
			return runCommand(args[1:], stdout, progress)
		case "load":
			return loadCommand(args[1:], stdout, progress)
		case "check":
			return checkCommand(args[1:], stdout, progress)
		case "floor":
			return floorCommand(args[1:], stdout)
		}
	}
	_, _ = io.WriteString(progress, usage)
	return flag.ErrHelp
}
