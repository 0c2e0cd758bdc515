// Command k8s looks after the manifests beside it. It knows the repository by the folder that it runs in.
//
//	go run ./k8s check [OVERLAY...]   say what does not hold together in these overlays, or in all
//	go run ./k8s rules                make the PrometheusRule of services/monitoring/alerts.yaml
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"helix/k8s/manifests"
)

const (
	alerts = "services/monitoring/alerts.yaml"
	rule   = "k8s/components/monitoring/prometheusrule.yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "k8s:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) > 0 && args[0] == "check":
		return check(args[1:])
	case len(args) == 1 && args[0] == "rules":
		made, err := manifests.PrometheusRule(alerts)
		if err != nil {
			return err
		}
		return os.WriteFile(rule, made, 0o644)
	}
	return errors.New("go run ./k8s check [OVERLAY...], or go run ./k8s rules, in the root of the repository")
}

// check prints each complaint on a line of its own.
func check(overlays []string) error {
	if len(overlays) == 0 {
		var err error
		if overlays, err = filepath.Glob("k8s/overlays/*"); err != nil {
			return err
		}
	}
	dir, err := os.MkdirTemp("", "helix-k8s-")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	edge, err := manifests.BuildEdge(".", dir)
	if err != nil {
		return err
	}
	wrong := 0
	for _, overlay := range overlays {
		set, err := manifests.Load(overlay)
		if err != nil {
			return err
		}
		for _, complaint := range manifests.Check(set, edge) {
			fmt.Printf("%s: %s\n", overlay, complaint)
			wrong++
		}
	}
	if wrong > 0 {
		return fmt.Errorf("%d things do not hold together", wrong)
	}
	return nil
}
