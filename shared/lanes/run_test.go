package lanes

import (
	"errors"
	"sync"
	"testing"
	"time"
)

// A caller may hold a lock that its callback takes: so a call that is turned away is answered elsewhere.
func TestStart_neverAnswersOnItsCallersGoroutine(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		runner *runner
		want   error
	}{
		"when too many wait": {&runner{waiting: maxWaiting}, ErrBusy},
		"when it is closed":  {&runner{closed: true}, ErrClosed},
	} {
		var mu sync.Mutex
		answered := make(chan error, 1)
		mu.Lock()
		(&Lanes{runner: test.runner}).Start(NewScript("x", "return 1"), nil, nil, func(_ any, err error) {
			mu.Lock()
			defer mu.Unlock()
			answered <- err
		})
		mu.Unlock()
		select {
		case err := <-answered:
			if !errors.Is(err, test.want) {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: no answer", name)
		}
	}
}

func TestRunner_answersWhatWaitedTooLong_andSendsTheRest(t *testing.T) {
	t.Parallel()
	r := &runner{timeout: time.Second, observe: func(string, time.Duration, error) {}}
	s := NewScript("x", "return 1")
	var failed error
	old := call{script: s, began: time.Now().Add(-time.Minute), done: func(_ any, err error) { failed = err }}
	rest := r.expire([]call{old, {script: s, began: time.Now()}})
	if len(rest) != 1 || !errors.Is(failed, ErrBusy) {
		t.Errorf("%d are sent, the old one gets %v", len(rest), failed)
	}
}
