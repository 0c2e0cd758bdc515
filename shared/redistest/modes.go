package redistest

import (
	"fmt"
	"os"
	"sync"
	"testing"
)

// EachMode runs a test on every kind of Redis that Helix runs on: the embedded stand-in, one server,
// and a Cluster of three masters. Those of a package are started once, when first asked for, and
// shared: a test keeps to a key prefix of its own. The package's TestMain must call Main.
func EachMode(t *testing.T, test func(t *testing.T, url string)) {
	t.Run("embedded", func(t *testing.T) { t.Parallel(); test(t, "") })
	t.Run("single", func(t *testing.T) { t.Parallel(); test(t, common.single(t)) })
	t.Run("cluster", func(t *testing.T) { t.Parallel(); test(t, common.cluster(t)) })
}

// Main runs a package's tests and ends the servers that they shared.
func Main(m *testing.M) {
	code := m.Run()
	common.end()
	os.Exit(code)
}

var common shared

// shared is what the tests of a package have in common.
type shared struct {
	life       life
	onceSingle sync.Once
	singleURL  string
	onceThree  sync.Once
	clusterURL string
}

func (s *shared) single(t testing.TB) string {
	s.onceSingle.Do(func() { s.singleURL = Start(s.life.of(t)).URL })
	return s.must(t, s.singleURL)
}

func (s *shared) cluster(t testing.TB) string {
	s.onceThree.Do(func() { s.clusterURL, _ = StartCluster(s.life.of(t)) })
	return s.must(t, s.clusterURL)
}

func (s *shared) must(t testing.TB, url string) string {
	t.Helper()
	if url == "" {
		t.Fatal("the servers that the tests share did not start")
	}
	return url
}

func (s *shared) end() { s.life.end() }

// life is a testing.TB whose directories and cleanups last as long as the package's tests.
type life struct {
	mu       sync.Mutex
	cleanups []func()
}

func (l *life) of(t testing.TB) testing.TB { return lasting{TB: t, life: l} }

func (l *life) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := len(l.cleanups) - 1; i >= 0; i-- {
		l.cleanups[i]()
	}
}

type lasting struct {
	testing.TB
	life *life
}

func (l lasting) Cleanup(f func()) {
	l.life.mu.Lock()
	defer l.life.mu.Unlock()
	l.life.cleanups = append(l.life.cleanups, f)
}

func (l lasting) TempDir() string {
	dir, err := os.MkdirTemp("", "helix-redis-")
	if err != nil {
		l.Fatal(fmt.Errorf("make a directory for a Redis: %w", err))
	}
	l.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}
