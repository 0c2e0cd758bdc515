package session_test

import (
	"fmt"
	"sync"
	"testing"

	"helix/shared/flows"
	"helix/shared/redistest"
	"helix/shared/session"
)

// The change script's round trip on a real Redis, each caller on a flow of its own, as edges run it.
func BenchmarkChange(b *testing.B) {
	url := redistest.Start(b).URL
	for _, callers := range []int{1, 16, 256} {
		b.Run(fmt.Sprintf("%d_callers", callers), func(b *testing.B) {
			store := session.NewStore(openLanes(b, url), "bench", session.DefaultOptions)
			changes := `{"nodes":{"node-1734":{"position":{"x":1042.5,"y":-310.25},"data":{"label":"Classify the ticket"}}}}`
			var wg sync.WaitGroup
			joined := make([]*session.Flow, callers)
			for i := range joined {
				joined[i] = store.Flow(flows.ID(fmt.Sprint("f", i)))
				join(b, joined[i], 0, 1)
			}
			b.ReportAllocs()
			b.ResetTimer()
			for i, f := range joined {
				runs := b.N / callers
				if i < b.N%callers {
					runs++
				}
				wg.Go(func() {
					var body session.Body
					done := make(chan error, 1)
					for n := range runs {
						body.Start(store.Node(), uint64(n))
						body.Add(1, session.Change{ClientID: "IOFJBSXZ6DYZ3EIL", Changes: changes})
						f.Change(&body, session.Guard{}, func(_ session.Changed, err error) { done <- err })
						if err := <-done; err != nil {
							b.Error(err)
							return
						}
					}
				})
			}
			wg.Wait()
		})
	}
}
