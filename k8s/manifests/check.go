package manifests

import "fmt"

// complaints gathers what is wrong, each a sentence that begins with the object.
type complaints []string

func (c *complaints) add(who fmt.Stringer, format string, arguments ...any) {
	*c = append(*c, who.String()+": "+fmt.Sprintf(format, arguments...))
}

// Check gives every complaint about a set of objects, none if it holds together. edge is asked which settings
// and paths there are.
func Check(s *Set, edge Edge) []string {
	var c complaints
	checkNames(s, &c)
	checkSelectors(s, &c)
	checkNetwork(s, &c)
	checkPorts(s, &c)
	checkProbes(s, edge, &c)
	checkSettings(s, edge, &c)
	checkRollout(s, edge, &c)
	checkIngress(s, edge, &c)
	checkAvailability(s, edge, &c)
	checkSecurity(s, &c)
	checkResources(s, &c)
	checkImages(s, &c)
	return c
}
