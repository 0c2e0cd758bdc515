package supervisor

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/thejerf/suture/v4"
)

// supervised is a service as suture sees it: it never panics, and what it returns is only ever whether
// to start it again.
type supervised struct {
	name    string
	service Service
	by      *Supervisor
}

// String is the name that suture reports it by.
func (s *supervised) String() string { return s.name }

// Serve is one life of the service.
func (s *supervised) Serve(ctx context.Context) error {
	err := s.live(ctx)
	var p *panicked
	switch {
	case err == nil:
		return suture.ErrDoNotRestart
	case ctx.Err() == nil:
		return s.failed(err)
	case errors.As(err, &p): // the tree ends, and this is still a mistake
		s.by.root.Log.Error("a service panicked while it ended", "service", s.name, "error", p, "stack", string(p.stack))
	}
	return ctx.Err()
}

// panicked is the error that a panic becomes.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// errGoexit: suture would start the service again without a word.
var errGoexit = errors.New("the service ended its goroutine")

// live runs the service and makes an error of a panic.
func (s *supervised) live(ctx context.Context) (err error) {
	returned := false
	defer func() {
		if returned {
			return
		}
		if value := recover(); value != nil {
			err = &panicked{value, debug.Stack()}
		} else if ctx.Err() == nil {
			_ = s.failed(errGoexit) // nothing can be returned any more: suture starts it again by itself
		}
	}()
	err = s.service.Serve(ctx)
	returned = true
	return err
}

// failed counts a failure and says whether the service is started again.
func (s *supervised) failed(err error) error {
	root := s.by.root
	attributes := []any{"service", s.name, "error", err}
	if p, ok := err.(*panicked); ok { //nolint:errorlint // live returns it as it is
		attributes = append(attributes, "stack", string(p.stack))
	}
	if !s.by.budget.allows(root.Now()) {
		root.Log.Error("a service failed once too often; the edge ends", attributes...)
		root.giveUp(fmt.Errorf("%w: more than %d within %v, the last of %q: %w", ErrTooManyRestarts, root.MaxRestarts, root.Window, s.name, err))
		return suture.ErrDoNotRestart
	}
	root.Log.Error("a service failed and is started again", attributes...)
	kind, _, _ := strings.Cut(s.name, " ")
	root.Metrics.Restarts.WithLabelValues(kind).Inc()
	return err
}
