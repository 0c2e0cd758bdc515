package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

const testSecret = "a secret of thirty-two bytes, or more"

// withTokens are the variables of an edge that wants tokens.
func withTokens(more ...string) []string {
	return append([]string{"HELIX_AUTH_MODE=jwt", "HELIX_AUTH_SECRET=" + testSecret, "HELIX_AUTH_LEEWAY=0s"}, more...)
}

// minted gives what "helix token" prints with these arguments.
func minted(t testing.TB, environ []string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	if err := run(append([]string{"token"}, args...), environ, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

// dialAs opens a socket with a token; code is the answer's status where it is refused.
func (r *running) dialAs(token string) (c *socketClient, code int, body string) {
	r.t.Helper()
	url := strings.Replace(r.url(), "http", "ws", 1) + "/socket/websocket?vsn=2.0.0"
	if token != "" {
		url += "&token=" + token
	}
	conn, response, err := websocket.DefaultDialer.Dial(url, nil)
	if err != nil {
		if response == nil {
			r.t.Fatal(err)
		}
		text, _ := io.ReadAll(response.Body)
		return nil, response.StatusCode, string(text)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return &socketClient{r.t, conn}, http.StatusSwitchingProtocols, ""
}

func (r *running) ask(method, path, token string) (int, string) {
	r.t.Helper()
	request, err := http.NewRequest(method, r.url()+path, nil)
	if err != nil {
		r.t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		r.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	body, _ := io.ReadAll(response.Body)
	return response.StatusCode, string(body)
}

func TestEdge_letsInWhoHasAToken(t *testing.T) {
	t.Parallel()
	environ := withTokens("HELIX_AUTH_ISSUER=https://id.example", "HELIX_AUTH_AUDIENCE=helix", "HELIX_AUTH_CLAIM=flows")
	r := start(t, environ...)
	good := minted(t, environ, "--user", "ann")
	for name, token := range map[string]string{
		"none": "", "a made up one": "letmein", "one of another secret": minted(t, []string{"HELIX_AUTH_MODE=jwt", "HELIX_AUTH_SECRET=" + strings.Repeat("y", 32)}, "--user", "ann"),
		"one of another issuer": minted(t, withTokens("HELIX_AUTH_AUDIENCE=helix"), "--user", "ann"),
	} {
		if _, code, body := r.dialAs(token); code != http.StatusForbidden || body != "" {
			t.Errorf("%s: %d %q", name, code, body)
		}
		if code, body := r.ask("GET", "/api/sessions", token); code != http.StatusUnauthorized {
			t.Errorf("%s: %d %q", name, code, body)
		}
	}
	c, code, _ := r.dialAs(good)
	if code != http.StatusSwitchingProtocols {
		t.Fatal(code)
	}
	c.ask(`["1","1","flow:f","phx_join",{}]`, `"status":"ok"`)
	if code, body := r.ask("GET", "/api/sessions", good); code != http.StatusOK || !strings.Contains(body, `"f":`) {
		t.Errorf("%d %s", code, body)
	}
}

func TestChannel_allowsWhatTheTokenDoes(t *testing.T) {
	t.Parallel()
	environ := withTokens()
	r := start(t, environ...)
	as := func(rights ...string) *socketClient {
		args := []string{"--user", "ann"}
		for _, right := range rights {
			args = append(args, "--right", right)
		}
		c, code, _ := r.dialAs(minted(t, environ, args...))
		if code != http.StatusSwitchingProtocols {
			t.Fatal(code)
		}
		return c
	}
	const refused = `"reason":"unauthorized"`

	writer := as("team/*=read,write")
	writer.ask(`["1","1","flow:team/a","phx_join",{"sync":true}]`, `"snapshot":{"seq":0,"document":{}}}`)
	writer.ask(`["2","2","flow: team/b ","phx_join",{}]`, `"status":"ok"`)
	for _, flow := range []string{"other", "team", "Team/a", `team/a\u0000`, `\u200bteam/a`} {
		want := refused
		if strings.Contains(flow, "u0000") {
			want = `"reason":"Invalid flow identifier"`
		}
		writer.ask(`["3","3","flow:`+flow+`","phx_join",{}]`, want)
	}
	writer.ask(`["1","4","flow:team/a","flow_change",{"changes":{"a":1}}]`, `"seq":1`)

	reader := as("team/a=read", "team/b=write", "team/c=manage")
	reader.ask(`["1","1","flow:team/a","phx_join",{"sync":true}]`, `{"a":1}},"read_only":true}`)
	for _, flow := range []string{"team/b", "team/c"} { // no right brings another
		reader.ask(`["2","2","flow:`+flow+`","phx_join",{}]`, refused)
	}
	for _, changes := range []string{`{"a":2}`, `{}`, `7`} {
		reader.ask(`["1","3","flow:team/a","flow_change",{"changes":`+changes+`,"change_id":1}]`, refused)
	}
	reader.ask(`["1","4","flow:team/a","signal",{"type":"cursor","data":1}]`, `"status":"ok"`)
	if got := writer.read("signal"); !strings.Contains(got, `"data":1`) {
		t.Error(got)
	}
	// Nobody saw what was refused: the next change is the second.
	writer.ask(`["1","5","flow:team/a","flow_change",{"changes":{"a":3}}]`, `"seq":2`)
	if got := reader.read("flow_update"); !strings.Contains(got, `"changes":{"a":3}`) || !strings.Contains(got, `"seq":2`) {
		t.Error(got)
	}

	for _, c := range []*socketClient{writer, reader} {
		c.ask(`["9","9","flow_management","phx_join",{}]`, `"status":"ok"`)
		for _, flow := range []string{"team/a", " team/a ", "no such flow"} {
			c.ask(`["9","10","flow_management","flow_deleted",{"flow_id":"`+flow+`"}]`, refused)
		}
		c.ask(`["9","11","flow_management","flow_deleted",{"flow_id":"  "}]`, `"reason":"Invalid flow_id"`)
	}
	reader.ask(`["9","12","flow_management","flow_deleted",{"flow_id":"team/c"}]`, `"clients_affected":0`)
	manager := as("*=manage")
	manager.ask(`["9","9","flow_management","phx_join",{}]`, `"status":"ok"`)
	manager.ask(`["9","13","flow_management","flow_deleted",{"flow_id":"team/a"}]`, `"clients_affected":2`)
	writer.read("flow_deleted")
}

// What the edge knows of a client stands behind what the client says of itself, which cannot replace it.
func TestPresence_tellsWhoItIs_whateverTheClientSays(t *testing.T) {
	t.Parallel()
	environ := withTokens()
	r := start(t, environ...)
	ann, _, _ := r.dialAs(minted(t, environ, "--user", `ann"}`, "--name", "Ann Ö"))
	bob, _, _ := r.dialAs(minted(t, environ, "--user", "bob"))
	ann.ask(`["1","1","flow:f","phx_join",{"client_id":"a","presence":{"user_id":"root","user_name":"Root","color":"red"}}]`, `"status":"ok"`)
	bob.ask(`["1","1","flow:f","phx_join",{"client_id":"b","presence":{ }}]`, `"status":"ok"`)
	metaOf := func(frame, key, client string) map[string]any {
		var fields []json.RawMessage
		var of map[string]json.RawMessage
		if json.Unmarshal([]byte(frame), &fields) != nil || json.Unmarshal(fields[4], &of) != nil {
			t.Fatal(frame)
		}
		if key != "" {
			if json.Unmarshal(of[key], &of) != nil {
				t.Fatal(frame)
			}
		}
		var presence struct{ Metas []map[string]any }
		if json.Unmarshal(of[client], &presence) != nil || len(presence.Metas) != 1 {
			return nil
		}
		return presence.Metas[0]
	}
	state := bob.read("presence_state")
	if m := metaOf(state, "", "a"); m["user_id"] != `ann"}` || m["user_name"] != "Ann Ö" || m["color"] != "red" {
		t.Errorf("%v in %s", m, state)
	}
	ann.ask(`["1","2","flow:f","presence_update",{"user_id":"root","x":{"user_id":"deep"}} ]`, `"status":"ok"`)
	for {
		frame := bob.read("presence_diff")
		m := metaOf(frame, "joins", "a")
		if m["x"] == nil {
			if m := metaOf(frame, "joins", "b"); m != nil && (m["user_id"] != "bob" || m["user_name"] != nil) {
				t.Errorf("%s", frame)
			}
			continue
		}
		if m["user_id"] != `ann"}` || m["user_name"] != "Ann Ö" {
			t.Errorf("%v in %s", m, frame)
		}
		break
	}
	for _, bad := range []string{`[]`, `7`, `"{"`, `{"x":"` + strings.Repeat("y", 4<<10) + `"}`} {
		ann.ask(`["1","3","flow:f","presence_update",`+bad+`]`, `"reason":"invalid_params"`)
	}
}

func TestEdge_withKeysThatCannotBeFetched_letsNobodyIn_andGoesOnUntilTheyCan(t *testing.T) {
	t.Parallel()
	var keys atomic.Value
	keys.Store("")
	issuer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if keys.Load() == "" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		_, _ = io.WriteString(w, keys.Load().(string))
	}))
	t.Cleanup(issuer.Close)
	r := start(t, "HELIX_AUTH_MODE=jwt", "HELIX_AUTH_JWKS_URL="+issuer.URL)
	forged := minted(t, withTokens(), "--user", "ann")
	if code, body := r.get("/healthz"); code != http.StatusOK {
		t.Errorf("healthz %d %s", code, body)
	}
	if code, body := r.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "the keys of tokens cannot be fetched") {
		t.Errorf("readyz %d %s", code, body)
	}
	if _, code, body := r.dialAs(forged); code != http.StatusForbidden || body != "" {
		t.Errorf("%d %s", code, body)
	}
	if code, _ := r.ask("GET", "/api/flows", forged); code != http.StatusUnauthorized {
		t.Errorf("%d", code)
	}
	keys.Store(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`) // RFC 8037, A.2
	deadline := time.Now().Add(20 * time.Second)
	for {
		code, body := r.get("/readyz")
		if code == http.StatusOK {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("it does not become ready: %s", body)
		}
		time.Sleep(5 * time.Millisecond)
	}
	if _, code, _ := r.dialAs(forged); code != http.StatusForbidden {
		t.Errorf("%d", code)
	}
}

func TestSecretFile_isAsGoodAsTheSecret(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(testSecret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	r := start(t, "HELIX_AUTH_MODE=jwt", "HELIX_AUTH_SECRET_FILE="+file)
	if _, code, _ := r.dialAs(minted(t, withTokens(), "--user", "ann")); code != http.StatusSwitchingProtocols {
		t.Error(code)
	}
	config := filepath.Join(t.TempDir(), "helix.yaml")
	if err := os.WriteFile(config, []byte("auth: {mode: jwt, secret_file: "+file+"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, code, _ := r.dialAs(minted(t, nil, "--config", config, "--user=ann")); code != http.StatusSwitchingProtocols {
		t.Error(code)
	}
}

func TestToken_saysWhatIsWrongWithItsArguments(t *testing.T) {
	t.Parallel()
	jwks := []string{"HELIX_AUTH_MODE=jwt", "HELIX_AUTH_JWKS_URL=https://id.example/jwks.json"}
	for _, c := range []struct {
		environ []string
		args    string
		want    string
	}{
		{withTokens(), "", "needs --user"},
		{withTokens(), "--user", "--user is unknown, or needs a value"},
		{withTokens(), "--user ann --for ever", "--for:"},
		{withTokens(), "--user ann --for -1h", "expired before it begins"},
		{withTokens(), "--user ann --right team", "not of the form"},
		{withTokens(), "--user ann --right team=admin", `"admin" is no right`},
		{withTokens(), "--user ann --right a*b=read", "has a * before its end"},
		{withTokens(), "--user ann --admin yes", "--admin: unknown argument"},
		{withTokens("HELIX_NO_SUCH=1"), "--user ann", "unknown variable"},
		{nil, "--user ann", "needs auth.mode jwt and a secret"},
		{jwks, "--user ann", "needs auth.mode jwt and a secret"},
	} {
		var out bytes.Buffer
		err := run(append([]string{"token"}, strings.Fields(c.args)...), c.environ, &out, &out)
		if err == nil || !strings.Contains(err.Error(), c.want) || out.Len() > 0 || strings.Contains(fmt.Sprint(err), testSecret) {
			t.Errorf("%s: %v %s", c.args, err, &out)
		}
	}
}
