package flows_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"helix/shared/document"
	"helix/shared/flows"
)

func (failing) List(context.Context, flows.Place, int) ([]flows.Summary, flows.Place, error) {
	return nil, flows.Place{}, errSecret
}
func (failing) Summary(context.Context, flows.ID) (flows.Summary, error) {
	return flows.Summary{}, errSecret
}
func (failing) Document(context.Context, flows.ID) (flows.Document, error) {
	return flows.Document{}, errSecret
}
func (failing) Replace(context.Context, flows.ID, *document.Document, flows.Condition) (flows.Replaced, error) {
	return flows.Replaced{}, errSecret
}
func (failing) Delete(context.Context, flows.ID, flows.Condition) error { return errSecret }
func (failing) Versions(context.Context, flows.ID, uint64, int) ([]flows.Version, bool, error) {
	return nil, false, errSecret
}
func (failing) Version(context.Context, flows.ID, string) (flows.Version, []byte, error) {
	return flows.Version{}, nil, errSecret
}
func (failing) NameVersion(context.Context, flows.ID, string) (flows.Version, error) {
	return flows.Version{}, errSecret
}
func (failing) RenameVersion(context.Context, flows.ID, string, string) (flows.Version, error) {
	return flows.Version{}, errSecret
}
func (failing) RemoveVersion(context.Context, flows.ID, string) error { return errSecret }
func (failing) Members(context.Context, []flows.ID, int) ([][]flows.Profile, error) {
	return nil, errSecret
}

// verbs calls every verb of documents and their versions for one flow.
func verbs(f *flows.Flows, id string) map[string]error {
	ctx := context.Background()
	_, summary := f.Summary(ctx, id)
	_, read := f.Document(ctx, id)
	_, replaced := f.Replace(ctx, id, []byte(`{}`), nil)
	_, listed := f.Versions(ctx, id, "", 0)
	_, _, version := f.Version(ctx, id, "v")
	_, named := f.NameVersion(ctx, id, "name")
	_, renamed := f.RenameVersion(ctx, id, "v", nil)
	return map[string]error{
		"summary": summary, "document": read, "replace": replaced, "delete": f.Delete(ctx, id, nil),
		"versions": listed, "version": version, "name": named, "rename": renamed, "remove": f.RemoveVersion(ctx, id, "v"),
	}
}

func TestDocuments_maskWhatFailedInside(t *testing.T) {
	t.Parallel()
	f := flows.New(failing{}, flows.DefaultLimits)
	errs := verbs(f, "f")
	_, errs["list"] = f.List(context.Background(), "", 0)
	_, errs["members"] = f.Members(context.Background(), []flows.ID{"f"})
	for name, err := range errs {
		if !errors.Is(err, flows.ErrUnavailable) || !errors.Is(err, errSecret) || strings.Contains(flows.AsError(err).Sentence, "password") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDocuments_refuseAnInvalidID_inEveryVerb(t *testing.T) {
	t.Parallel()
	for name, err := range verbs(flows.New(nil, flows.DefaultLimits), " ") {
		if !errors.Is(err, flows.ErrInvalidFlowID) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// pager is a list that tells where it was asked to begin.
type pager struct {
	flows.Sessions
	after flows.Place
	limit int
	next  flows.Place
}

func (p *pager) List(_ context.Context, after flows.Place, limit int) ([]flows.Summary, flows.Place, error) {
	p.after, p.limit = after, limit
	return nil, p.next, nil
}

func FuzzList_cursor(f *testing.F) {
	f.Add("", int64(1), "a")
	f.Add("MTcwMCBh", int64(1_700_000_000_000), "a b ü")
	f.Add("IA", int64(0), " ")
	f.Fuzz(func(t *testing.T, cursor string, changed int64, flow string) {
		p := &pager{}
		boundary := flows.New(p, flows.DefaultLimits)
		if _, err := boundary.List(context.Background(), cursor, 0); err == nil {
			if p.after != (flows.Place{}) && p.after.Changed < 0 {
				t.Fatalf("%q is %+v", cursor, p.after)
			}
		} else if !errors.Is(err, flows.ErrInvalidPageQuery) {
			t.Fatal(err)
		}
		id, err := flows.ParseID(flow)
		if err != nil || changed < 0 {
			return
		}
		p.next = flows.Place{Changed: changed, Flow: id}
		l, err := boundary.List(context.Background(), "", flows.MaxPage)
		if err != nil || p.limit != flows.MaxPage {
			t.Fatal(err)
		}
		if _, err := boundary.List(context.Background(), l.Next, 1); err != nil || p.after != p.next {
			t.Fatalf("%+v comes back as %+v, %v", p.next, p.after, err)
		}
	})
}
