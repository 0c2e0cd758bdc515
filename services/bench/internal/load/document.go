package load

import (
	"fmt"
	"strconv"
	"strings"
)

// partNodes is how many nodes one change of a Document brings: a frame has its bound.
const partNodes = 1000

// Document makes the changes that make the document of a flow as the web page makes it: so many nodes, and
// as many edges between them; some 200 bytes a node.
func Document(nodes int) (changes [][]byte) {
	for from := 0; from < nodes; from += partNodes {
		to := min(from+partNodes, nodes)
		var b strings.Builder
		b.WriteString(`{"title":"Support","nodes":{`)
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, `"n%d":{"type":"agent","position":{"x":%d,"y":%d},"data":{"label":"Step %d","description":"Reads the ticket and says what it is about"}},`, i, i*7, i*3, i)
		}
		text := strings.TrimSuffix(b.String(), ",") + `},"edges":{`
		b.Reset()
		for i := from; i < to; i++ {
			fmt.Fprintf(&b, `"e%d":{"source":"n%d","target":"n%d","label":"then"},`, i, i, (i*7+1)%nodes)
		}
		changes = append(changes, []byte(text+strings.TrimSuffix(b.String(), ",")+`}}`))
	}
	return changes
}

// Move makes the change that a client sends most: it puts one node somewhere else. Each number makes
// another one.
func Move(nodes, number int) []byte {
	b := make([]byte, 0, 64)
	b = append(b, `{"nodes":{"n`...)
	b = strconv.AppendInt(b, int64(number%nodes), 10)
	b = append(b, `":{"position":{"x":`...)
	b = strconv.AppendInt(b, int64(number%5000), 10)
	b = append(b, `,"y":`...)
	b = strconv.AppendInt(b, int64(number/nodes%3000), 10)
	return append(b, `}}}}`...)
}
