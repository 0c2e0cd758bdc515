package phoenix_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"helix/shared/phoenix"
)

// vector is one entry of testdata/*.json; each file says what its members mean.
type vector struct {
	Name   string
	Vsn    phoenix.Version
	Frame  string
	Fields *fields
	Error  bool
	Encode bool
	Reply  *struct {
		OK       bool
		Response string
	}
	Bytes []struct {
		Field string
		Text  string
		Hex   string
	}
	PayloadHex string `json:"payload_hex"`
}

type fields struct {
	JoinRef string `json:"join_ref"`
	Ref     string
	Topic   string
	Event   string
	Payload string
}

func fieldsOf(m phoenix.Message) fields {
	return fields{string(m.JoinRef), string(m.Ref), string(m.Topic), string(m.Event), string(m.Payload)}
}

// vectors reads files of testdata and refuses what no test would look at.
func vectors(t testing.TB, names ...string) []vector {
	t.Helper()
	var all []vector
	for _, name := range names {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			About   string
			Vectors []vector
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.DisallowUnknownFields()
		if err := decoder.Decode(&file); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if len(file.Vectors) == 0 {
			t.Fatalf("%s has no vectors", name)
		}
		for _, v := range file.Vectors {
			if v.Error == (v.Fields != nil) {
				t.Fatalf("%s: %s: must expect either fields or an error", name, v.Name)
			}
		}
		all = append(all, file.Vectors...)
	}
	return all
}

func textVectors(t testing.TB) []vector { return vectors(t, "original.json", "frames.json") }

func (v vector) binary(t testing.TB) []byte {
	t.Helper()
	var frame []byte
	for _, part := range v.Bytes {
		raw, err := hex.DecodeString(part.Hex)
		if err != nil {
			t.Fatalf("%s: %s: %v", v.Name, part.Field, err)
		}
		frame = append(append(frame, part.Text...), raw...)
	}
	return frame
}

func TestDecode_splitsOrRefusesEveryTextVector(t *testing.T) {
	t.Parallel()
	for _, v := range textVectors(t) {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			m, err := v.Vsn.Decode([]byte(v.Frame), false)
			if v.Error {
				if !errors.Is(err, phoenix.ErrFrame) {
					t.Fatalf("%q decodes to %+v, %v", v.Frame, fieldsOf(m), err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%q: %v", v.Frame, err)
			}
			if got := fieldsOf(m); got != *v.Fields || m.Binary {
				t.Fatalf("%q\ngot  %+v\nwant %+v", v.Frame, got, *v.Fields)
			}
		})
	}
}

func TestAppend_givesTheBytesOfEveryVectorThatSaysSo(t *testing.T) {
	t.Parallel()
	messages, replies := 0, 0
	for _, v := range textVectors(t) {
		if v.Fields == nil {
			continue
		}
		joinRef, ref, topic := []byte(v.Fields.JoinRef), []byte(v.Fields.Ref), []byte(v.Fields.Topic)
		const before = "what was there: "
		if v.Encode {
			messages++
			event, _ := phoenix.StringValue([]byte(v.Fields.Event))
			got := v.Vsn.AppendMessage([]byte(before), joinRef, ref, topic, event, []byte(v.Fields.Payload))
			if string(got) != before+v.Frame {
				t.Errorf("%s:\ngot  %s\nwant %s", v.Name, got, before+v.Frame)
			}
		}
		if v.Reply != nil {
			replies++
			got := v.Vsn.AppendReply([]byte(before), joinRef, ref, topic, v.Reply.OK, []byte(v.Reply.Response))
			if string(got) != before+v.Frame {
				t.Errorf("%s:\ngot  %s\nwant %s", v.Name, got, before+v.Frame)
			}
		}
	}
	if messages == 0 || replies == 0 {
		t.Fatalf("%d messages and %d replies are in the vectors", messages, replies)
	}
}

func TestDecode_splitsOrRefusesEveryBinaryVector(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "binary.json") {
		t.Run(v.Name, func(t *testing.T) {
			t.Parallel()
			frame := v.binary(t)
			m, err := v.Vsn.Decode(frame, true)
			if v.Error {
				if !errors.Is(err, phoenix.ErrFrame) {
					t.Fatalf("%q decodes to %+v, %v", frame, fieldsOf(m), err)
				}
				return
			}
			if err != nil {
				t.Fatalf("%q: %v", frame, err)
			}
			payload, err := hex.DecodeString(v.PayloadHex)
			if err != nil {
				t.Fatal(err)
			}
			want := *v.Fields
			want.Payload = string(payload)
			if got := fieldsOf(m); got != want || !m.Binary {
				t.Fatalf("%q\ngot  %+v\nwant %+v", frame, got, want)
			}
			if m.Payload == nil {
				t.Fatal("the payload is nil")
			}
		})
	}
}
