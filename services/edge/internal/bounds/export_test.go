package bounds

// Keys is how many addresses and users are known.
func (g *Guard) Keys() (addresses, users int) { return g.addresses.keys(), g.users.keys() }

func (t *table[K]) keys() (n int) {
	for i := range t.shards {
		t.shards[i].mu.Lock()
		n += len(t.shards[i].places)
		t.shards[i].mu.Unlock()
	}
	return n
}

// Sweep is what Serve does in as many seconds as there are shards.
func (g *Guard) Sweep() {
	for i := range shards {
		g.addresses.sweep(i)
		g.users.sweep(i)
	}
}
