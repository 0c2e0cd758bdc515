package manifests

import "strings"

// checkImages: a tag that says a version, or a digest.
func checkImages(s *Set, c *complaints) {
	for _, w := range s.workloads() {
		for _, container := range w.pod.Spec.Containers {
			image := container.Image
			if strings.Contains(image, "@sha256:") {
				continue
			}
			_, tag, found := strings.Cut(image[strings.LastIndex(image, "/")+1:], ":")
			if !found || tag == "" || tag == "latest" {
				c.add(w, "its image %s is not pinned", image)
			}
		}
	}
}
