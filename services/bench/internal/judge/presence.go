package judge

import "encoding/json"

// Presence is what one client was told of who is there, kept as the official client's Presence keeps it:
// by key and by phx_ref.
type Presence struct {
	who   string
	known bool
	metas map[string]map[string]string // key, ref, what it tells
}

// NewPresence begins with nothing: a connection's first word of presence must be the whole state.
func NewPresence(who string) *Presence { return &Presence{who: who} }

type presences map[string]struct {
	Metas []map[string]any `json:"metas"`
}

// State takes a presence_state.
func (p *Presence) State(payload []byte) error {
	var all presences
	if err := json.Unmarshal(payload, &all); err != nil {
		return p.garbled(err.Error())
	}
	p.known, p.metas = true, map[string]map[string]string{}
	return p.join(all)
}

// Diff takes a presence_diff.
func (p *Presence) Diff(payload []byte) error {
	var diff struct {
		Joins  presences `json:"joins"`
		Leaves presences `json:"leaves"`
	}
	if err := json.Unmarshal(payload, &diff); err != nil {
		return p.garbled(err.Error())
	}
	if !p.known {
		return p.garbled("a presence_diff came before the presence_state")
	}
	if err := p.join(diff.Joins); err != nil {
		return err
	}
	for key, left := range diff.Leaves {
		for _, meta := range left.Metas {
			ref, _ := meta["phx_ref"].(string)
			delete(p.metas[key], ref)
		}
		if len(p.metas[key]) == 0 {
			delete(p.metas, key)
		}
	}
	return nil
}

func (p *Presence) join(all presences) error {
	for key, came := range all {
		if len(came.Metas) == 0 {
			return p.garbled("the presence of " + key + " has no metas")
		}
		if p.metas[key] == nil {
			p.metas[key] = map[string]string{}
		}
		for _, meta := range came.Metas {
			ref, _ := meta["phx_ref"].(string)
			if ref == "" {
				return p.garbled("a meta of " + key + " has no phx_ref")
			}
			delete(meta, "phx_ref")
			p.metas[key][ref] = Text(meta)
		}
	}
	return nil
}

// Differs compares what the client was told with who is there: what each key tells, once. It is empty
// where they are the same.
func (p *Presence) Differs(there map[string]string) string {
	if !p.known {
		return "it was told of nobody yet"
	}
	for _, key := range sorted(there, p.keys()) {
		want, is := there[key]
		told := p.metas[key]
		switch {
		case !is:
			return key + " is gone, and it sees " + Text(told)
		case len(told) == 0:
			return key + " is there, and it does not see it"
		case len(told) > 1:
			return key + " is there once, and it sees " + Text(told)
		}
		for _, meta := range told {
			if meta != want {
				return key + " tells " + want + ", and it sees " + meta
			}
		}
	}
	return ""
}

func (p *Presence) keys() map[string]string {
	keys := map[string]string{}
	for key := range p.metas {
		keys[key] = ""
	}
	return keys
}

func (p *Presence) garbled(what string) error {
	return &Violation{Kind: Garbled, Who: p.who, What: what}
}
