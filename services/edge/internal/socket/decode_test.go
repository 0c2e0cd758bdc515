package socket

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"testing"
)

// clientFrame makes a frame as a client does.
func clientFrame(first byte, payload []byte) []byte {
	b := []byte{first}
	switch n := len(payload); {
	case n < 126:
		b = append(b, 0x80|byte(n))
	case n <= 0xffff:
		b = binary.BigEndian.AppendUint16(append(b, 0x80|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, 0x80|127), uint64(n))
	}
	mask := [4]byte{0x12, 0x34, 0x56, 0x78}
	b = append(b, mask[:]...)
	for i, c := range payload {
		b = append(b, c^mask[i%4])
	}
	return b
}

// decodeAll takes all frames of b, which is given in pieces of these sizes, as a reader would.
func decodeAll(b []byte, limit int, piece func() int) (found []string, err error) {
	d := decoder{limit: limit}
	var kept []byte
	for len(b) > 0 {
		n := min(max(piece(), 1), len(b))
		kept = append(kept, b[:n]...)
		b = b[n:]
		for len(kept) > 0 {
			f, err := d.next(kept)
			if err != nil {
				return found, err
			}
			if f.used == 0 {
				if f.need <= len(kept) {
					return found, fmt.Errorf("needs %d of %d bytes that are there", f.need, len(kept))
				}
				break
			}
			if f.opcode != opContinuation {
				found = append(found, fmt.Sprintf("%d %s", f.opcode, f.payload))
			}
			kept = append([]byte(nil), kept[f.used:]...)
		}
	}
	return found, nil
}

func TestDecoder_takesEverySizeInEveryPiece(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 1, 7, 8, 9, 125, 126, 127, 65535, 65536, 70000} {
		payload := bytes.Repeat([]byte("0123456789abcdefg"), n/17+1)[:n]
		stream := append(clientFrame(0x81, payload), clientFrame(0x82, []byte("next"))...)
		for _, piece := range []int{1, 3, 14, 4096, 1 << 20} {
			found, err := decodeAll(stream, 1<<20, func() int { return piece })
			if err != nil || len(found) != 2 || found[0] != "1 "+string(payload) || found[1] != "2 next" {
				t.Fatalf("%d bytes in pieces of %d: %d found, %v", n, piece, len(found), err)
			}
		}
	}
}

func TestDecoder_putsFragmentsTogether_controlFramesInBetween(t *testing.T) {
	t.Parallel()
	var stream []byte
	for _, f := range [][]byte{
		clientFrame(0x01, []byte("one ")), clientFrame(0x89, []byte("ping")), clientFrame(0x00, []byte("two ")),
		clientFrame(0x00, nil), clientFrame(0x80, []byte("three")), clientFrame(0x81, []byte("four")),
	} {
		stream = append(stream, f...)
	}
	found, err := decodeAll(stream, 100, func() int { return 5 })
	if err != nil || fmt.Sprint(found) != "[9 ping 1 one two three 1 four]" {
		t.Fatalf("%q, %v", found, err)
	}
}

func TestDecoder_refuses(t *testing.T) {
	t.Parallel()
	unmasked := []byte{0x81, 0x01, 'x'}
	cases := []struct {
		name   string
		stream []byte
		want   error
	}{
		{"an unmasked frame", unmasked, errProtocol},
		{"a reserved bit", clientFrame(0xc1, nil), errProtocol},
		{"a reserved opcode", clientFrame(0x83, nil), errProtocol},
		{"a reserved control opcode", clientFrame(0x8b, nil), errProtocol},
		{"a fragmented ping", clientFrame(0x09, nil), errProtocol},
		{"a long ping", clientFrame(0x89, make([]byte, 126)), errProtocol},
		{"a continuation of nothing", clientFrame(0x80, nil), errProtocol},
		{"a message within a message", append(clientFrame(0x01, nil), clientFrame(0x81, nil)...), errProtocol},
		{"a message over the limit", clientFrame(0x81, make([]byte, 101)), errTooLarge},
		{"fragments over the limit", append(clientFrame(0x01, make([]byte, 60)), clientFrame(0x80, make([]byte, 41))...), errTooLarge},
		{"a length of 2^64-1, before any payload", []byte{0x81, 0xff, 255, 255, 255, 255, 255, 255, 255, 255, 0, 0, 0, 0}, errTooLarge},
	}
	for _, c := range cases {
		if _, err := decodeAll(c.stream, 100, func() int { return 3 }); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func FuzzDecoder(f *testing.F) {
	f.Add(clientFrame(0x81, []byte(`["1","1","flow:f","phx_join",{}]`)), uint64(1))
	f.Add(append(clientFrame(0x01, []byte("a")), clientFrame(0x80, []byte("b"))...), uint64(2))
	f.Add(clientFrame(0x88, []byte{3, 232}), uint64(3))
	f.Fuzz(func(t *testing.T, stream []byte, seed uint64) {
		const limit = 1000
		random := rand.New(rand.NewPCG(seed, 1))
		whole, err1 := decodeAll(stream, limit, func() int { return len(stream) })
		pieces, err2 := decodeAll(stream, limit, func() int { return random.IntN(20) })
		if fmt.Sprint(whole, err1) != fmt.Sprint(pieces, err2) {
			t.Fatalf("whole: %q %v\nin pieces: %q %v", whole, err1, pieces, err2)
		}
		for _, m := range whole {
			if len(m) > limit+4 {
				t.Fatalf("a message of %d bytes", len(m))
			}
		}
	})
}

func BenchmarkDecoder_FlowChange(b *testing.B) {
	message := clientFrame(0x81, bytes.Repeat([]byte("x"), 250))
	stream := make([]byte, len(message))
	d := decoder{limit: 1 << 20}
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		copy(stream, message)
		if f, err := d.next(stream); err != nil || f.used != len(stream) {
			b.Fatal(err)
		}
	}
}
