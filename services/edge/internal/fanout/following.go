package fanout

import (
	"errors"

	"helix/shared/flows"
	"helix/shared/session"
	"helix/shared/telemetry"
)

// Following sampled changes on their way: what is asked of telemetry, and when. Where nothing is followed
// all of it is a look at a nil pointer or an empty string.

// errOut ends the span of a change that is not carried out, because its member is out.
var errOut = errors.New("the member is out")

// followed is the span that a change came with; nil: it is not followed.
func followed(c flows.Change) *telemetry.Span {
	span, _ := c.Trace.(*telemetry.Span)
	return span
}

// follow begins the span of the run that was made, if a change of it is followed, and has it published with it.
// The run belongs to the first such change's trace and is linked with the others.
func (o *outbox) follow() {
	for i := range o.run {
		c := &o.run[i]
		switch {
		case c.span == nil:
		case o.span == nil:
			o.span = c.span.Run()
		default:
			o.span.Link(c.span)
		}
	}
	if o.span == nil {
		return
	}
	o.span.Number("changes", int64(o.body.Len()))
	o.span.Number("bytes", int64(o.body.Size()))
	o.body.Trace(o.span.Parent())
}

// received takes a run that was published, and follows it where it says so.
func (f *Flow) received(u *session.Update) {
	span := f.hub.Traces.Receive(u.Trace, string(f.id))
	if span == nil {
		f.update(u)
		return
	}
	before := f.history.Held
	f.receiving = span
	defer func() { f.receiving = nil; span.End(nil) }()
	f.update(u)
	switch after := f.history.Held; {
	case u.Epoch == after.Epoch && u.Last() == after.Seq && before.Seq < after.Seq:
		span.Text("outcome", "delivered")
	case u.Epoch == after.Epoch && u.Last() <= before.Seq:
		span.Text("outcome", "known") // from the script's answer, or the log
	default:
		span.Text("outcome", "early") // something before it is missing and is read first
	}
}

// delivering begins the span of handing a run to the members, where the run is followed.
func (f *Flow) delivering(u *session.Update) *telemetry.Span {
	switch {
	case u.Trace == "":
		return nil
	case f.receiving.Began(u.Trace):
		return f.receiving.Deliver()
	}
	return f.hub.Traces.Deliver(u.Trace, string(f.id))
}

// delivered ends that span.
func (f *Flow) delivered(span *telemetry.Span, u *session.Update, bytes int) {
	if span == nil {
		return
	}
	lagging := 0
	for _, l := range []*lag{f.lagging.young, f.lagging.old} {
		if l != nil {
			lagging += l.members
		}
	}
	span.Number("seq", int64(u.First))
	span.Number("changes", int64(len(u.Changes)))
	span.Number("members", int64(f.members.count))
	span.Number("lagging", int64(lagging))
	span.Number("bytes", int64(bytes))
	span.End(nil)
}
