package actors

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"helix/bench/internal/judge"
)

// Poster changes a flow over HTTP, without a connection that lasts.
type Poster struct {
	name   string
	flow   *Flow
	random *rand.Rand
	rate   float64
	scribe *scribe
	client *http.Client
	fills  bool
	asking bool // guarded by flow.mu
}

// AddPoster gives a flow a client that changes it over HTTP. fills: the document is full at times.
func (f *Flow) AddPoster(name string, rate float64, fills bool, seed uint64) {
	f.history.Writer(name, false)
	f.posters = append(f.posters, &Poster{
		name: name, flow: f, rate: rate, fills: fills, random: rand.New(rand.NewPCG(seed, 3)),
		scribe: &scribe{name: name, random: rand.New(rand.NewPCG(seed, 4))},
		client: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: joinTimeout},
	})
}

func (p *Poster) run(ctx context.Context) {
	for ctx.Err() == nil {
		busy, turned := p.flow.world.mood()
		if !busy {
			select {
			case <-ctx.Done():
			case <-turned:
			}
			continue
		}
		p.flow.world.rest(ctx, time.Duration(p.random.ExpFloat64()*float64(time.Second)/p.rate))
		if busy, _ := p.flow.world.mood(); busy && ctx.Err() == nil {
			p.post(ctx)
		}
	}
}

func (p *Poster) post(ctx context.Context) {
	f, stats := p.flow, &p.flow.world.Stats
	f.mu.Lock()
	p.asking = true
	c := p.scribe.next(f.phase)
	f.history.Sent(c.mark)
	stats.Changes.Add(1)
	f.say(p.name, "posts", c.mark, judge.Position{})
	f.mu.Unlock()
	status, body, err := p.ask(ctx, c)
	f.mu.Lock()
	defer f.mu.Unlock()
	p.asking = false
	switch {
	case err != nil || status >= 500 || status == http.StatusTooManyRequests:
		stats.Unknown.Add(1)
		f.say(p.name, fmt.Sprintf("does not know: %d %v", status, err), c.mark, judge.Position{})
	case status == http.StatusRequestEntityTooLarge && p.fills:
		stats.TooLarge.Add(1)
		f.say(p.name, "is refused for good", c.mark, judge.Position{})
	case status != http.StatusOK:
		f.check(&judge.Violation{Kind: judge.Refused, Who: p.name, Mark: c.mark, What: fmt.Sprintf("%d %.200s", status, body)})
	default:
		var answer struct {
			Seq   uint64 `json:"seq"`
			Epoch string `json:"epoch"`
		}
		if err := json.Unmarshal(body, &answer); err != nil {
			f.check(&judge.Violation{Kind: judge.Garbled, Who: p.name, Mark: c.mark, What: err.Error()})
			return
		}
		stats.Acked.Add(1)
		f.say(p.name, "has its answer", c.mark, judge.Position{Epoch: answer.Epoch, Seq: answer.Seq})
		f.history.Acked(c.mark, answer.Epoch, answer.Seq)
		p.scribe.clean = max(p.scribe.clean, f.phase)
	}
}

func (p *Poster) ask(ctx context.Context, c *pending) (status int, body []byte, err error) {
	w := p.flow.world
	addr := w.Edges[p.random.IntN(len(w.Edges))]
	var payload map[string]json.RawMessage
	_ = json.Unmarshal(c.payload, &payload)
	payload["client_id"], _ = json.Marshal(p.flow.ID + "." + p.name)
	body, _ = json.Marshal(payload)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+addr+"/api/flows/"+url.PathEscape(p.flow.ID)+"/changes", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := p.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = response.Body.Close() }()
	body, err = io.ReadAll(response.Body)
	return response.StatusCode, body, err
}
