package fanout

import (
	"time"

	"helix/shared/flows"
	"helix/shared/session"
)

// signals is members' signals on their way: they gather for a window, of each member and type the newest
// alone, and leave together. Nothing of them is kept, and none is sent twice.
type signals struct {
	waiting map[signalKey]session.Signal
	order   []signalKey // of waiting, the longest waiting first
	bytes   int         // of waiting
	sending bool
	last    time.Time
	due     time.Time // when they leave; zero: none wait
}

type signalKey struct {
	member uint64
	kind   string
}

const (
	signalWindow = 33 * time.Millisecond // 30 a second, as often as a cursor needs
	// mostSignalDeliveries bounds what one window's signals cost on an edge: with many members the
	// signals of some wait for the next window, and for newer ones of their kind.
	mostSignalDeliveries = 20_000
	mostSignalsWaiting   = 4096 // of a flow; past it new ones are dropped
	mostSignalBytes      = 1 << 20
	signalBatchBytes     = 256 << 10 // Redis cuts off subscribers that have more than some MiB waiting
	mostSignalsOwed      = 256       // to one member that does not keep up
)

// Signal implements flows.Membership.
func (m *member) Signal(s flows.Signal) {
	f := m.flow
	signal := session.Signal{ClientID: m.clientID, Type: s.Type, Data: string(s.Data)}
	f.guard(func() {
		g := &f.signals
		key := signalKey{m.num, signal.Type}
		if _, waits := g.waiting[key]; !waits {
			if m.state != memberIn || len(g.order) >= mostSignalsWaiting || g.bytes > mostSignalBytes {
				return
			}
			g.order = append(g.order, key)
		}
		if g.waiting == nil {
			g.waiting = map[signalKey]session.Signal{}
		}
		signal.Member = m.num
		g.bytes += len(signal.Data) - len(g.waiting[key].Data)
		g.waiting[key] = signal
		f.sendSignals(time.Now())
	})
}

// sendSignals sends what waits, if it is time. The caller holds the lock.
func (f *Flow) sendSignals(now time.Time) {
	g := &f.signals
	if len(g.order) == 0 || g.sending || f.stopped {
		g.due = time.Time{}
		return
	}
	if wait := g.last.Add(signalWindow); now.Before(wait) {
		if g.due.IsZero() {
			g.due = wait
			f.arm(wait)
		}
		return
	}
	n := min(len(g.order), max(mostSignalDeliveries/max(f.members.count, 1), 1))
	batch := make([]session.Signal, 0, n)
	bytes := 0
	for i, key := range g.order[:n] {
		if bytes > signalBatchBytes {
			n = i
			break
		}
		bytes += len(g.waiting[key].Data)
		batch = append(batch, g.waiting[key])
		delete(g.waiting, key)
	}
	g.bytes -= bytes
	g.order = append(g.order[:0:0], g.order[n:]...)
	g.last, g.due, g.sending = now, time.Time{}, true
	run := f.runs
	f.store.Signal(batch, func(error) { // one that is lost is followed by a newer one
		f.guard(func() {
			if run == f.runs {
				f.signals.sending = false
				f.sendSignals(time.Now())
			}
		})
	})
}

// signalled tells the members what others signalled.
func (f *Flow) signalled(s *session.Signals) {
	for _, g := range f.members.groups {
		for i := range s.Signals {
			var frame []byte
			for _, m := range g.members {
				if !m.hears || (m.num == s.Signals[i].Member && s.Node == f.hub.node) {
					continue
				}
				if frame == nil {
					frame = g.encoding.AppendFrame(nil, f.signalEvent(&s.Signals[i]))
				}
				of := signalOf{s.Node, signalKey{s.Signals[i].Member, s.Signals[i].Type}}
				if m.lag != nil || !m.Offer(frame) {
					m.owe(of, frame)
				} else if m.signals != nil {
					delete(m.signals, of) // what it did not take is older
				}
			}
		}
	}
}

func (f *Flow) signalEvent(s *session.Signal) flows.Event {
	return flows.Event{Kind: flows.EventSignal, Flow: f.id, ClientID: s.ClientID, Type: s.Type, Changes: s.Data}
}

// signalOf is whose signal it is, in the cluster.
type signalOf struct {
	node string
	signalKey
}

// owe notes a signal for a member that did not take it: the newest of its kind.
func (m *member) owe(of signalOf, frame []byte) {
	if m.signals == nil {
		m.signals = map[signalOf][]byte{}
	}
	if _, known := m.signals[of]; known || len(m.signals) < mostSignalsOwed {
		m.signals[of] = frame
	}
}

// paySignals offers a member the signals that it did not take.
func (m *member) paySignals() {
	for of, frame := range m.signals {
		if !m.Offer(frame) {
			return
		}
		delete(m.signals, of)
	}
	m.signals = nil
}
