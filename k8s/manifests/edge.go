package manifests

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"sigs.k8s.io/yaml"
)

// Edge is what an operator can know of the edge.
type Edge struct {
	// Settings gives all settings that an edge with these variables (NAME=value) has, by key, as helix config
	// prints them; or the program's own error about them.
	Settings func(environ []string) (Settings, error)
	// SecretFile is one that Settings may read in place of a file of a Secret.
	SecretFile string
	// PublicPaths and AdminPaths are what the two listeners serve.
	PublicPaths, AdminPaths []string
	// Gauges are the metrics whose value one may scale by.
	Gauges []string
}

// Settings are an edge's settings by key, such as shutdown.timeout.
type Settings map[string]string

// duration gives a setting that is one, 0 where there is no such setting.
func (s Settings) duration(key string) time.Duration {
	d, err := time.ParseDuration(s[key])
	if err != nil {
		return 0
	}
	return d
}

// BuildEdge builds the program of the repository at root into dir, and reads there what its listeners serve.
func BuildEdge(root, dir string) (Edge, error) {
	program := filepath.Join(dir, "helix")
	build := exec.Command("go", "build", "-o", program, "./services/edge")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return Edge{}, fmt.Errorf("build the edge: %w\n%s", err, out)
	}
	edge := Edge{
		Settings:   func(environ []string) (Settings, error) { return readSettings(program, environ) },
		SecretFile: filepath.Join(dir, "secret"),
	}
	err := os.WriteFile(edge.SecretFile, bytes.Repeat([]byte("x"), 32), 0o600)
	if err != nil {
		return Edge{}, err
	}
	if edge.PublicPaths, err = publicPaths(filepath.Join(root, "services/edge/internal/api/openapi.json")); err != nil {
		return Edge{}, err
	}
	route := regexp.MustCompile(`r\.(?:Get|Method)\((?:http\.MethodGet, )?"(/[^"]*)"`)
	if edge.AdminPaths, err = found(route, filepath.Join(root, "services/edge/internal/api/admin.go")); err != nil {
		return Edge{}, err
	}
	gauge := regexp.MustCompile(`r\.gauge\("([a-z_]+)"`)
	edge.Gauges, err = found(gauge, filepath.Join(root, "shared/telemetry/metrics.go"))
	for i := range edge.Gauges {
		edge.Gauges[i] = "helix_" + edge.Gauges[i]
	}
	return edge, err
}

func readSettings(program string, environ []string) (Settings, error) {
	command := exec.Command(program, "config")
	command.Env = environ
	var said bytes.Buffer
	command.Stderr = &said
	printed, err := command.Output()
	if err != nil {
		return nil, errors.New(string(bytes.TrimSpace(said.Bytes())))
	}
	var groups map[string]map[string]any
	if err := yaml.Unmarshal(printed, &groups); err != nil {
		return nil, fmt.Errorf("read what helix config printed: %w", err)
	}
	settings := Settings{}
	for group, members := range groups {
		for key, value := range members {
			settings[group+"."+key] = fmt.Sprint(value)
		}
	}
	return settings, nil
}

func publicPaths(openapi string) ([]string, error) {
	content, err := os.ReadFile(openapi)
	if err != nil {
		return nil, err
	}
	var document struct {
		Paths map[string]any `json:"paths"`
	}
	if err := json.Unmarshal(content, &document); err != nil {
		return nil, fmt.Errorf("read %s: %w", openapi, err)
	}
	var paths []string
	for path := range document.Paths {
		paths = append(paths, path)
	}
	slices.Sort(paths)
	return paths, nil
}

// found gives the first group of each match in a file, and an error if there is none: then the file is written
// otherwise than this package thinks.
func found(pattern *regexp.Regexp, file string) ([]string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var all []string
	for _, match := range pattern.FindAllSubmatch(content, -1) {
		all = append(all, string(match[1]))
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("nothing in %s is like %s", file, pattern)
	}
	return all, nil
}
