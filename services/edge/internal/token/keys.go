package token

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// KeysOptions say where keys come from. URL is required.
type KeysOptions struct {
	URL string // of a JWKS
	Log *slog.Logger
	// Refresh is how often they are fetched again; 0 means DefaultRefresh. So long may a key that its
	// issuer withdrew still count.
	Refresh time.Duration
	// Between is the least time between two fetches that tokens of an unknown kid cause, and the most
	// between two attempts while there are no keys; 0 means DefaultBetween.
	Between time.Duration
	// Timeout bounds one fetch; 0 means DefaultTimeout.
	Timeout time.Duration
}

// Defaults of KeysOptions.
const (
	DefaultRefresh = 15 * time.Minute
	DefaultBetween = 10 * time.Second
	DefaultTimeout = 5 * time.Second
)

const (
	maxSetBytes = 1 << 20
	mostWaiting = 256                    // who waits for a fetch; others are refused at once
	firstRetry  = 250 * time.Millisecond // doubled up to Between
)

// errNoKeys says that no key was fetched yet.
var errNoKeys = errors.New("there are no keys yet")

// Keys are the public keys of a JWKS: a service of the tree, which fetches them when it starts, from time
// to time, and when a token names one that is not known, though not more often than every Between: the
// kid is whatever the client writes. What was fetched counts until another fetch succeeds; before
// the first one did nobody is let in.
type Keys struct {
	opts   KeysOptions
	shown  string // the URL, without a password
	client *http.Client
	wanted chan struct{} // a fetch is asked for

	mu      sync.Mutex
	set     keySet        // nil: none was fetched
	fetch   chan struct{} // closed when the fetch that is asked for or under way is over; nil: there is none
	tried   time.Time     // when the last one began
	waiting int
}

// NewKeys makes the keys of a JWKS; they are fetched once Serve runs.
func NewKeys(o KeysOptions) *Keys {
	for field, byDefault := range map[*time.Duration]time.Duration{&o.Refresh: DefaultRefresh, &o.Between: DefaultBetween, &o.Timeout: DefaultTimeout} {
		if *field == 0 {
			*field = byDefault
		}
	}
	shown := "(no URL)"
	if u, err := url.Parse(o.URL); err == nil {
		shown = u.Redacted()
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DisableKeepAlives = true // one request in minutes
	transport.MaxResponseHeaderBytes = 64 << 10
	return &Keys{
		opts: o, shown: shown, wanted: make(chan struct{}, 1), fetch: make(chan struct{}),
		// Where a redirect leads is somebody else's to say.
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
}

// Serve implements the supervisor's Service. A fetch that fails is logged and tried again.
func (k *Keys) Serve(ctx context.Context) error {
	defer k.settle(nil)
	next := time.NewTimer(0)
	defer next.Stop()
	retry := firstRetry
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-next.C:
		case <-k.wanted:
		}
		err := k.refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err == nil:
			retry = firstRetry
			next.Reset(k.opts.Refresh)
			continue
		}
		k.opts.Log.Warn("the keys of tokens cannot be fetched", "url", k.shown, "error", err, "have_others", k.Ready() == nil)
		next.Reset(retry)
		retry = min(2*retry, k.opts.Between)
	}
}

// Ready is an error while no keys were fetched.
func (k *Keys) Ready() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.set == nil {
		return errNoKeys
	}
	return nil
}

// refresh fetches the keys and wakes who waits for that.
func (k *Keys) refresh(ctx context.Context) (err error) {
	k.mu.Lock()
	k.tried = time.Now()
	if k.fetch == nil {
		k.fetch = make(chan struct{})
	}
	select { // this is the fetch that was asked for
	case <-k.wanted:
	default:
	}
	k.mu.Unlock()
	var set keySet
	defer func() { k.settle(set) }()
	text, err := k.get(ctx)
	if err != nil {
		return err
	}
	set, skipped, err := parseKeys(text)
	for _, why := range skipped {
		k.opts.Log.Debug("a key is passed over", "url", k.shown, "error", why)
	}
	return err
}

func (k *Keys) settle(set keySet) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if set != nil {
		k.set = set
	}
	if k.fetch != nil {
		close(k.fetch)
		k.fetch = nil
	}
}

func (k *Keys) get(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, k.opts.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.opts.URL, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	response, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("it answers %s", response.Status)
	}
	text, err := io.ReadAll(io.LimitReader(response.Body, maxSetBytes+1))
	if err == nil && len(text) > maxSetBytes {
		err = fmt.Errorf("it is longer than %d bytes", maxSetBytes)
	}
	return text, err
}

// find gives what a token of this kid and algorithm must be signed with. Where it is not known it asks for
// a fetch, if one may be made now, and waits for it.
func (k *Keys) find(ctx context.Context, kid, alg string) (any, error) {
	key, fetch, err := k.look(kid, alg)
	if err == nil || fetch == nil {
		return key, err
	}
	defer func() {
		k.mu.Lock()
		k.waiting--
		k.mu.Unlock()
	}()
	late := time.NewTimer(k.opts.Timeout + time.Second) // Serve may have been told to end
	defer late.Stop()
	select {
	case <-fetch:
	case <-late.C:
	case <-ctx.Done():
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.known(kid, alg)
}

// look gives a key, or else the fetch to wait for, where there may be one: then the caller counts as
// waiting.
func (k *Keys) look(kid, alg string) (key any, fetch chan struct{}, err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if key, err = k.known(kid, alg); err == nil || k.waiting >= mostWaiting {
		return key, nil, err
	}
	if k.fetch == nil {
		if k.set == nil || time.Since(k.tried) < k.opts.Between { // without any keys Serve tries by itself
			return nil, nil, err
		}
		k.fetch = make(chan struct{})
		k.wanted <- struct{}{} // has room: it is emptied before k.fetch is nil again
	}
	k.waiting++
	return nil, k.fetch, err
}

// known gives a key that is at hand. The caller holds the lock.
func (k *Keys) known(kid, alg string) (any, error) {
	if k.set == nil {
		return nil, errNoKeys
	}
	found := k.set.find(kid, alg)
	if len(found) == 0 {
		return nil, fmt.Errorf("no key with the kid %.64q verifies %s", kid, alg)
	}
	keys := jwt.VerificationKeySet{}
	for _, f := range found {
		keys.Keys = append(keys.Keys, f.key)
	}
	return keys, nil
}
