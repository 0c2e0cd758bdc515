package phoenix_test

import (
	"testing"

	"helix/shared/phoenix"
)

// benchChanges is a usual change of some 200 bytes: a node was dragged and renamed, an edge deleted.
const benchChanges = `{"nodes":{"node-1734":{"position":{"x":1042.5,"y":-310.25},"data":{"label":"Classify the ticket","model":"small","temperature":0.2}}},"viewport":{"x":0,"y":0,"zoom":1},"edges":{"e-17":null}}`

// What a server does with a change: decode, tell the event from the reserved ones, take out the changes.
func benchmarkDecode(b *testing.B, version phoenix.Version, text string) {
	frame := []byte(text)
	b.SetBytes(int64(len(frame)))
	b.ReportAllocs()
	for b.Loop() {
		m, err := version.Decode(frame, false)
		if err != nil || m.EventIs(phoenix.EventHeartbeat) || m.EventIs(phoenix.EventJoin) || m.EventIs(phoenix.EventLeave) || !m.EventIs("flow_change") {
			b.Fatal(err)
		}
		if _, ok := phoenix.Field(m.Payload, "changes"); !ok {
			b.Fatal("no changes")
		}
	}
}

func BenchmarkDecode_FlowChangeFrame(b *testing.B) {
	benchmarkDecode(b, phoenix.V2, `["3","1041","flow:support-triage","flow_change",{"changes":`+benchChanges+`}]`)
}

func BenchmarkDecode_FlowChangeFrameOf1_0_0(b *testing.B) {
	benchmarkDecode(b, phoenix.V1, `{"topic":"flow:support-triage","event":"flow_change","payload":{"changes":`+benchChanges+`},"ref":"1041","join_ref":"3"}`)
}

func BenchmarkEncode_FlowUpdate(b *testing.B) {
	topic, payload := []byte(`"flow:support-triage"`), []byte(`{"changes":`+benchChanges+`,"timestamp":1795451792,"seq":1041,"epoch":"TNVCPZYPDQHL","client_id":"IOFJBSXZ6DYZ3EIL"}`)
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = phoenix.V2.AppendMessage(dst[:0], phoenix.Null, phoenix.Null, topic, "flow_update", payload)
	}
}

func BenchmarkEncode_Reply(b *testing.B) {
	joinRef, ref, topic, response := []byte(`"3"`), []byte(`"1041"`), []byte(`"flow:support-triage"`), []byte(`{"status":"broadcasted"}`)
	dst := make([]byte, 0, 1024)
	b.ReportAllocs()
	for b.Loop() {
		dst = phoenix.V2.AppendReply(dst[:0], joinRef, ref, topic, true, response)
	}
}
