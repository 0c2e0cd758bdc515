package load_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"helix/bench/internal/load"
)

func TestReadNews_whereverTheFieldsStand(t *testing.T) {
	t.Parallel()
	long := strings.Repeat(`{"nodes":{"n1":{"seq":1}}},`, 40)
	cases := []struct {
		frame string
		want  load.News
	}{
		{`[null,null,"flow:f","flow_update",{"changes":{"seq":5,"a":{"seq":6}},"timestamp":1,"seq":77,"epoch":"E","client_id":"c"}]`, load.News{Kind: load.Update, Seq: 77}},
		{`[null,null,"flow:f","flow_update",{"seq":77,"changes":{"a":1}}]`, load.News{Kind: load.Update, Seq: 77}},
		{`[null,null,"flow:f","flow_catchup",{"epoch":"E","seq":90,"from_seq":12,"patches":[` + long + `{}]}]`, load.News{Kind: load.Catchup, From: 12, Seq: 90}},
		{`[null,null,"flow:f","flow_catchup",{"patches":[` + long + `{}],"from_seq":12,"epoch":"E","seq":90}]`, load.News{Kind: load.Catchup, From: 12, Seq: 90}},
		{`[null,null,"flow:f","flow_sync",{"epoch":"E","seq":90,"document":{"seq":1}}]`, load.News{Kind: load.Sync, Seq: 90}},
		{`["7","100","flow:f","phx_reply",{"status":"ok","response":{"status":"broadcasted","seq":8}}]`, load.News{Kind: load.Answer, Seq: 8, Ref: []byte(`"100"`)}},
		{`["7","100","flow:f","phx_reply",{"status":"error","response":{"reason":"rate_limited"}}]`, load.News{Kind: load.Refusal, Ref: []byte(`"100"`)}},
		{`["7","100","flow:f","phx_reply",{"status":"ok","response":{"status":"pong"}}]`, load.News{}},
		{`[null,null,"flow:f","client_joined",{"client_count":3,"flow_id":"f"}]`, load.News{}},
	}
	for _, c := range cases {
		if got := load.ReadNews([]byte(c.frame)); fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%.90s: %+v, want %+v", c.frame, got, c.want)
		}
	}
}

func TestPlace_seesWhatDoesNotFollow(t *testing.T) {
	t.Parallel()
	update := func(seq uint64) load.News { return load.News{Kind: load.Update, Seq: seq} }
	catchup := func(from, seq uint64) load.News { return load.News{Kind: load.Catchup, From: from, Seq: seq} }
	cases := []struct {
		name   string
		news   []load.News
		seq    uint64
		broken int
	}{
		{"in order", []load.News{update(11), update(12)}, 12, 0},
		{"one that it has", []load.News{update(11), update(11), update(10), update(12)}, 12, 0},
		{"one is missing", []load.News{update(11), update(13)}, 13, 1},
		{"caught up, from before its place", []load.News{update(11), catchup(9, 40), update(41)}, 41, 0},
		{"caught up from behind its place", []load.News{catchup(11, 40)}, 10, 1},
		{"caught up to before its place", []load.News{catchup(3, 9)}, 10, 1},
		{"another document", []load.News{{Kind: load.Sync, Seq: 3}, update(4)}, 4, 0},
		{"an answer is no news of its place", []load.News{{Kind: load.Answer, Seq: 11}}, 10, 0},
	}
	for _, c := range cases {
		p := load.NewPlace(10)
		for _, n := range c.news {
			p.Take(n, 0)
		}
		if p.Seq() != c.seq || p.Broken != c.broken {
			t.Errorf("%s: at %d, %d broken", c.name, p.Seq(), p.Broken)
		}
	}
}

func TestStaleness_isFromSendingToTheFirstFrameThatCovers(t *testing.T) {
	t.Parallel()
	sent, p := load.NewSent(), load.NewPlace(20)
	for seq := uint64(21); seq <= 100; seq++ {
		sent.Add(seq, time.Duration(seq)*time.Millisecond)
	}
	for seq := uint64(21); seq <= 40; seq++ { // has 32 after 3 ms
		p.Take(load.News{Kind: load.Update, Seq: seq}, time.Duration(seq+3)*time.Millisecond)
	}
	p.Take(load.News{Kind: load.Catchup, From: 33, Seq: 70}, 148*time.Millisecond) // 48 after 100 ms, 64 after 84 ms
	var h load.Histogram
	never := sent.Staleness(p, time.Second, &h) // 80 and 96 never: 920 ms, 904 ms
	if never != 2 || h.Count() != 5 || h.Max() != 920*time.Millisecond || sent.Newest() != 100 || sent.Count() != 80 {
		t.Fatalf("never %d of %d, max %v, newest %d", never, h.Count(), h.Max(), sent.Newest())
	}
	within := func(q float64, want time.Duration) {
		if got := h.Quantile(q); got > want || got < want*95/100 {
			t.Errorf("quantile %v is %v, want %v", q, got, want)
		}
	}
	within(0.1, 3*time.Millisecond)
	within(0.3, 84*time.Millisecond)
	within(0.5, 100*time.Millisecond)
}

func TestDocument_andItsMoves_areJSON(t *testing.T) {
	t.Parallel()
	var d struct {
		Nodes, Edges map[string]struct{ Position struct{ X, Y int } }
	}
	for _, changes := range load.Document(2500) {
		if err := json.Unmarshal(changes, &d); err != nil {
			t.Fatal(err)
		}
	}
	if len(d.Nodes) != 2500 || len(d.Edges) != 2500 {
		t.Fatalf("%d nodes, %d edges", len(d.Nodes), len(d.Edges))
	}
	seen := map[string]bool{}
	for number := range 10_000 {
		move := load.Move(500, number)
		if seen[string(move)] {
			t.Fatalf("%s twice", move)
		}
		seen[string(move)] = true
		if err := json.Unmarshal(move, &d); err != nil || len(d.Nodes) != 2500 {
			t.Fatalf("%s: %v, %d nodes", move, err, len(d.Nodes))
		}
	}
}
