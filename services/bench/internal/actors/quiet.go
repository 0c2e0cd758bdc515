package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"helix/bench/internal/client"
	"helix/bench/internal/judge"
)

// A quiet point: nothing fails, nobody writes. What all of them then have must be the same, and right.

const (
	settleWithin = 30 * time.Second // for everybody to come to rest; far more than it takes
	look         = 20 * time.Millisecond
)

// Settle waits until the flow has come to rest, judges it, and begins the next phase. The world must be
// at rest already, and all edges and Redis be well.
func (f *Flow) Settle(ctx context.Context) error {
	err := f.await(ctx, "the writers did not get all their answers", f.drained)
	if err != nil {
		return err
	}
	at, document, err := f.audit(ctx)
	if err != nil {
		return err
	}
	behind := func() string { return f.behind(at) }
	if err := f.await(ctx, "the clients did not come to where the server is", behind); err != nil {
		return err
	}
	f.mu.Lock()
	readers := make([]*judge.Reader, len(f.peers))
	for i, p := range f.peers {
		readers[i] = p.reader
	}
	found := f.history.Settle(at, document, readers)
	f.mu.Unlock()
	if len(found) > 0 {
		return errors.Join(found[:min(len(found), 10)]...)
	}
	if err := f.counts(ctx); err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.world.Stats.Epochs.Add(int64(max(len(f.history.Epochs())-1, 0)))
	f.phase++
	f.acked = time.Time{}
	f.last = at
	f.history.Forget(f.phase, at, document)
	f.say("judge", "finds all well", judge.Mark{}, at)
	return nil
}

// await waits until a condition says that nothing is missing; what it says is told if it never does.
func (f *Flow) await(ctx context.Context, what string, missing func() string) error {
	for deadline := time.Now().Add(settleWithin); ; {
		text := missing()
		if text == "" {
			return nil
		}
		if time.Now().After(deadline) {
			return &judge.Violation{Kind: judge.Unsettled, What: fmt.Sprintf("%s within %v: %s", what, settleWithin, text)}
		}
		sleep(ctx, look)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (f *Flow) drained() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.peers {
		if !p.in {
			return p.Name + " is not in"
		}
		if len(p.unacked) > 0 {
			return fmt.Sprintf("%s has %d changes without an answer, the first is %d", p.Name, len(p.unacked), p.unacked[0].mark.Number)
		}
	}
	for _, p := range f.posters {
		if p.asking {
			return p.name + " is asking"
		}
	}
	return ""
}

func (f *Flow) behind(at judge.Position) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.peers {
		if !p.in || p.reader.At != at {
			return fmt.Sprintf("%s is at %v (joined: %v), the server at %v", p.Name, p.reader.At, p.in, at)
		}
	}
	return ""
}

// audit asks every edge for the document, as somebody who comes fresh, and one for the whole log since
// the phase began. What a request that was given up leaves on its way may still come in between: so it
// asks again if they do not agree.
func (f *Flow) audit(ctx context.Context) (at judge.Position, document judge.Tree, err error) {
	const tries = 5
	for try := range tries {
		at, document, err = f.auditOnce(ctx)
		var v *judge.Violation
		if err == nil || ctx.Err() != nil || (errors.As(err, &v) && v.Kind != judge.Unsettled) {
			break
		}
		sleep(ctx, time.Duration(try+1)*200*time.Millisecond)
	}
	return at, document, err
}

func (f *Flow) auditOnce(ctx context.Context) (at judge.Position, document judge.Tree, err error) {
	for i, addr := range f.world.Direct {
		who := fmt.Sprintf("audit-%d", i)
		a, err := f.ask(ctx, addr, map[string]any{"sync": true})
		if err != nil {
			return at, nil, &judge.Violation{Kind: judge.Unsettled, Who: who, What: err.Error()}
		}
		here := judge.Position{Epoch: a.Epoch, Seq: a.Seq}
		if a.Snapshot == nil {
			return at, nil, &judge.Violation{Kind: judge.Garbled, Who: who, What: "the answer to a sync has no document"}
		}
		if document, err = judge.Parse(a.Snapshot.Document); err != nil {
			return at, nil, &judge.Violation{Kind: judge.Garbled, Who: who, What: err.Error()}
		}
		f.mu.Lock()
		err = f.history.Document(who, here, document)
		f.mu.Unlock()
		if err != nil {
			return at, nil, err
		}
		if i > 0 && here != at {
			return at, nil, &judge.Violation{Kind: judge.Unsettled, Who: who, What: fmt.Sprintf("it is told %v, after another edge told %v", here, at)}
		}
		at = here
	}
	from := judge.Position{Epoch: at.Epoch}
	if f.last.Epoch == at.Epoch {
		from.Seq = f.last.Seq
	}
	a, err := f.ask(ctx, f.world.Direct[0], map[string]any{"resume": map[string]any{"epoch": from.Epoch, "seq": from.Seq}})
	if err != nil {
		return at, nil, &judge.Violation{Kind: judge.Unsettled, Who: "audit", What: err.Error()}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, c := range a.Changes {
		if _, err := f.history.Seen("the log", judge.Position{Epoch: a.Epoch, Seq: c.Seq}, c.Changes); err != nil {
			return at, nil, err
		}
	}
	return at, document, nil
}

func (f *Flow) ask(ctx context.Context, addr string, params map[string]any) (a client.Answer, err error) {
	body, _ := json.Marshal(params)
	ctx, cancel := context.WithTimeout(ctx, joinTimeout)
	defer cancel()
	c, response, err := client.JoinWith(ctx, "ws://"+addr, f.ID, "", body, nil)
	if err != nil {
		return a, err
	}
	_ = c.Close()
	return client.ParseAnswer(response)
}

// counts waits until every client was told the real number of clients, and who they are, and every edge
// tells the number over HTTP.
func (f *Flow) counts(ctx context.Context) error {
	began := time.Now()
	kind, asked := judge.Count, ""
	missing := func() string {
		if text := f.countsHeard(); text != "" {
			return text
		}
		if text := f.presences(); text != "" {
			kind = judge.Presences
			return text
		}
		kind = judge.Count
		asked = f.countsAsked(ctx)
		return asked
	}
	for {
		text := missing()
		if text == "" {
			f.world.Stats.CountsWithin(time.Since(began))
			return nil
		}
		if time.Since(began) > settleWithin { // it is said how long it took; a busy machine breaks no promise
			return &judge.Violation{Kind: kind, What: fmt.Sprintf("after %v: %s", settleWithin, text)}
		}
		sleep(ctx, look)
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (f *Flow) countsHeard() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, p := range f.peers {
		if p.count != len(f.peers) {
			return fmt.Sprintf("%s was told %d clients, there are %d", p.Name, p.count, len(f.peers))
		}
	}
	return ""
}

func (f *Flow) countsAsked(ctx context.Context) string {
	for _, addr := range f.world.Direct {
		n, err := f.status(ctx, addr)
		if err != nil {
			return err.Error()
		}
		if n != len(f.peers) {
			return fmt.Sprintf("the status says %d clients, there are %d", n, len(f.peers))
		}
	}
	return ""
}

var statusClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: joinTimeout}

func (f *Flow) status(ctx context.Context, addr string) (clients int, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+addr+"/api/flows/"+url.PathEscape(f.ID)+"/status", nil)
	if err != nil {
		return 0, err
	}
	response, err := statusClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err
	}
	var s struct {
		ClientCount int `json:"client_count"`
	}
	return s.ClientCount, json.Unmarshal(body, &s)
}
