package fanout_test

import (
	"context"
	"fmt"
	"testing"

	"helix/shared/flows"
)

// Who waits for the document when its place is granted is a client like any other: the edge goes on to
// say so, also where nobody else is in the flow and nothing happens in it.
func TestSync_aloneInAFlow_staysCounted(t *testing.T) {
	t.Parallel()
	r := startRedis(t)
	a, b := startNode(t, r.URL, "a", quick), startNode(t, r.URL, "b", quick)
	client := r.Client(t)
	for i := range 10 {
		id := fmt.Sprint("f", i)
		b.mustReplace(id, `{"a":1}`) // so that there is something to be read
		a.follow(id, flows.JoinOptions{Sync: true})
		deadline := func() string {
			return client.HGet(context.Background(), a.lanes.Keys(flows.ID(id)).Session, "n:"+a.Store.Node()).Val()
		}
		first := deadline()
		eventually(t, "its place is renewed", func() bool { d := deadline(); return d != "" && d != first })
	}
}
