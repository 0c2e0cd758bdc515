package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"unicode/utf8"

	"helix/shared/flows"
)

func (a *api) change(w http.ResponseWriter, r *http.Request) {
	id, err := flowID(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	body, err := readJSONBody(r)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	change, err := parseChange(body)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	who := identityOf(r.Context())
	change.UserID, change.UserName = who.UserID(), who.Name()
	span := a.traces.Change(id)
	change.Trace = span
	receipt, err := a.flows.Change(r.Context(), id, change)
	span.Number("seq", int64(receipt.Seq))
	span.End(err)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	a.answer(w, r, http.StatusOK, struct {
		Status string `json:"status"`
		Seq    uint64 `json:"seq"`
		Epoch  string `json:"epoch"`
	}{"broadcasted", receipt.Seq, receipt.Epoch})
}

// readJSONBody reads a body that says of itself that it is JSON. Demanding that also keeps out what
// a browser's form can send without asking first.
func readJSONBody(r *http.Request) ([]byte, error) {
	mediaType, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || mediaType != "application/json" {
		return nil, errMediaType
	}
	body, err := io.ReadAll(r.Body)
	var tooLarge *http.MaxBytesError
	var netErr net.Error
	switch {
	case err == nil:
		return body, nil
	case errors.As(err, &tooLarge):
		return nil, errBodyTooLarge
	case errors.As(err, &netErr) && netErr.Timeout():
		return nil, errBodyTimeout
	default:
		return nil, invalidBody("the body could not be read to its end")
	}
}

// parseChange takes {"changes": …, "client_id": …} apart. It is strict, for a misspelt member that is
// passed over in silence is a lost change: names must match to the letter and come once. The text of
// changes is kept byte for byte, as a slice of its own: decoding it would cost the digits of large
// integers. That changes is an object of bearable size and depth is for the boundary to check.
func parseChange(body []byte) (flows.Change, error) {
	// Text that is not UTF-8 would reach browsers in a text frame, and each would close its socket.
	if !utf8.Valid(body) {
		return flows.Change{}, invalidBody("the body is not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	if t, err := d.Token(); err != nil {
		return flows.Change{}, notJSON(err)
	} else if t != json.Delim('{') {
		return flows.Change{}, invalidBody("the body must be a JSON object")
	}
	var c flows.Change
	seen := make(map[string]bool, 2)
	for d.More() {
		t, err := d.Token()
		if err != nil {
			return flows.Change{}, notJSON(err)
		}
		name, _ := t.(string)
		if seen[name] {
			return flows.Change{}, invalidBody(fmt.Sprintf("the body has the member %.64q twice", name))
		}
		seen[name] = true
		switch name {
		case "changes":
			err = d.Decode((*json.RawMessage)(&c.Changes))
		case "client_id":
			c.ClientID, err = decodeClientID(d)
		default:
			return flows.Change{}, invalidBody(fmt.Sprintf("the body has an unknown member %.64q; it takes changes and client_id", name))
		}
		if err != nil {
			return flows.Change{}, notJSON(err)
		}
	}
	if _, err := d.Token(); err != nil {
		return flows.Change{}, notJSON(err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return flows.Change{}, invalidBody("the body goes on after its object")
	}
	if !seen["changes"] {
		return flows.Change{}, flows.ErrInvalidChange
	}
	return c, nil
}

func decodeClientID(d *json.Decoder) (string, error) {
	// Token would take a nested value apart; a pointer tells null from "".
	var id *string
	err := d.Decode(&id)
	var wrongType *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrongType):
		return "", flows.ErrInvalidParams.Because(err)
	case err != nil:
		return "", err
	case id == nil || len(*id) > flows.MaxClientIDBytes:
		return "", flows.ErrInvalidParams
	}
	return *id, nil
}

// notJSON says where the text of the client stops being JSON; a refusal passes as it is.
func notJSON(err error) error {
	var known *flows.Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return invalidBody("the body ends before its JSON does")
	}
	return invalidBody("the body is not JSON: " + err.Error())
}
