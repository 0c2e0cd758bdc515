// Package manifests renders the overlays of k8s/ as kubectl would, decodes every object strictly into the
// typed structs of Kubernetes, and says what does not hold together: names that nothing bears, ports that
// nothing listens on, settings that the edge does not know, a drain that is longer than the grace period.
//
//	set, err := manifests.Load("k8s/overlays/production")
//	complaints := manifests.Check(set, edge)
//
// The API server would take most of these mistakes, and the cluster would show them at night. The package
// needs no cluster. It knows the edge as an operator does: by its program, its OpenAPI document and its
// admin routes (see Edge).
package manifests

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// Load renders a kustomization on disk and decodes what comes out.
func Load(dir string) (*Set, error) {
	documents, err := Render(dir)
	if err != nil {
		return nil, err
	}
	return Decode(documents)
}

// Render gives the objects of a kustomization as YAML, one document each.
func Render(dir string) ([][]byte, error) {
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), dir)
	if err != nil {
		return nil, fmt.Errorf("render %s: %w", dir, err)
	}
	var documents [][]byte
	for _, resource := range resources.Resources() {
		document, err := resource.AsYAML()
		if err != nil {
			return nil, fmt.Errorf("render %s: %s: %w", dir, resource.CurId(), err)
		}
		documents = append(documents, document)
	}
	return documents, nil
}

// CheckSources says which YAML files below root name a field twice: kustomize takes one of the two without
// a word, so it cannot be seen in what it renders.
func CheckSources(root string) error {
	var wrong []error
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".yaml" {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, document := range strings.Split(string(content), "\n---\n") {
			var any map[string]any
			if err := yaml.UnmarshalStrict([]byte(document), &any); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", path, err))
			}
		}
		return nil
	})
	return errors.Join(append(wrong, err)...)
}
