package judge

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"
)

// Mark says who made a change, and which of that writer's it is. Every change carries one in its patch:
//
//	{"w": {"<writer>": {"last": <number>, "<phase>": {"<number>": 1}}}, …}
//
// A phase's marks gather in the document until the writer takes them out in a later phase, so that each
// one that took effect can be seen; and "last" tells of one that took effect after a later one.
type Mark struct {
	Writer string
	Number int
}

// MarkOf finds the mark in a patch.
func MarkOf(patch Tree) (m Mark, ok bool) {
	writers, _ := at(patch, "w").(map[string]any)
	if len(writers) != 1 {
		return m, false
	}
	for m.Writer = range writers {
		m.Number, ok = lastOf(patch, m.Writer)
	}
	return m, ok
}

// Marked is the part of a patch that bears the mark. Those of earlier phases are taken out.
func Marked(m Mark, phase int, earlier []int) map[string]any {
	own := map[string]any{
		"last":      json.Number(strconv.Itoa(m.Number)),
		name(phase): map[string]any{strconv.Itoa(m.Number): json.Number("1")},
	}
	for _, p := range earlier {
		own[name(p)] = nil
	}
	return map[string]any{m.Writer: own}
}

func name(phase int) string { return "p" + strconv.Itoa(phase) }

// lastOf is the number that a document or a patch has for a writer.
func lastOf(t Tree, writer string) (n int, ok bool) {
	number, _ := at(t, "w", writer, "last").(json.Number)
	n, err := strconv.Atoi(number.String())
	return n, err == nil
}

// marksOf are a writer's numbers of a phase that took effect in a document.
func marksOf(t Tree, writer string, phase int) map[int]bool {
	set := map[int]bool{}
	marks, _ := at(t, "w", writer, name(phase)).(map[string]any)
	for text := range marks {
		n, _ := strconv.Atoi(text)
		set[n] = true
	}
	return set
}

func sorted[V any](all ...map[string]V) []string {
	set := map[string]bool{}
	for _, m := range all {
		for k := range m {
			set[k] = true
		}
	}
	return slices.Sorted(maps.Keys(set))
}
