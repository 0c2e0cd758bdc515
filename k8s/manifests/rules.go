package manifests

import (
	"bytes"
	"fmt"
	"os"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"sigs.k8s.io/yaml"
)

// rulesHeader begins the generated file.
const rulesHeader = `# Made from services/monitoring/alerts.yaml by: go run ./k8s rules
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: helix
  labels:
    app.kubernetes.io/name: helix
    app.kubernetes.io/part-of: helix
spec:
`

// PrometheusRule gives the manifest that holds the groups of a plain Prometheus rule file. It refuses a field
// that the operator's type does not have.
func PrometheusRule(file string) ([]byte, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var spec monitoring.PrometheusRuleSpec
	if err := yaml.UnmarshalStrict(content, &spec); err != nil {
		return nil, fmt.Errorf("read the rules in %s: %w", file, err)
	}
	groups, err := yaml.Marshal(spec)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	out.WriteString(rulesHeader)
	for line := range bytes.Lines(groups) {
		out.WriteString("  ")
		out.Write(line)
	}
	return out.Bytes(), nil
}
