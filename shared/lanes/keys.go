package lanes

import (
	"hash/fnv"
	"strconv"

	"helix/shared/flows"
)

// Keys names everything that Redis holds of one flow. All of it carries the flow's lane as its hash
// tag, so that one script may touch all of it on Redis Cluster.
type Keys struct {
	Lease    string // string: "<fencing token> <node>", with a TTL
	Session  string // hash: number, started, activity, version, and "n:<node>" = "<count> <deadline>"
	Head     string // hash: epoch, seq, at, bytes, base, folded, from, created, deleted, session, closed, fence (see head.lua)
	Log      string // stream: "<last seq>-0" -> one run of changes, as it was published
	Snapshot string // hash: epoch, seq, bytes, document, title, nodes, edges
	Answered string // hash: client id -> its newest change id and that change's seq
	Presence string // hash: "<node> <member> <client id>" -> what the client tells of itself (see present.lua)
	Versions string // hash: number, list (JSON), and "d:<version>" = the document, deflated (see versions.go)
	Authors  string // hash: client id -> who changed the flow under it (see author.lua)
	Channel  string // pub/sub: changes, counts, session end
	Index    string // sorted set of the lane's flows that have a session, by start
	Flows    string // sorted set of the lane's flows that have a document, by its last change
}

// Keys gives the keys of a flow.
func (l *Lanes) Keys(id flows.ID) Keys {
	lane := l.lanePrefix(l.Lane(id))
	flow := lane + "flow:" + string(id) + ":"
	return Keys{
		Lease:    flow + "lease",
		Session:  flow + "session",
		Head:     flow + "head",
		Log:      flow + "log",
		Snapshot: flow + "snapshot",
		Answered: flow + "answered",
		Presence: flow + "presence",
		Versions: flow + "versions",
		Authors:  flow + "authors",
		Channel:  flow + "channel",
		Index:    lane + sessionsIndex,
		Flows:    lane + flowsIndex,
	}
}

const (
	sessionsIndex = "sessions"
	flowsIndex    = "flows"
)

// IndexKeys gives the key of every lane's index of sessions.
func (l *Lanes) IndexKeys() []string { return l.everyLane(sessionsIndex) }

// FlowsKeys gives the key of every lane's index of documents.
func (l *Lanes) FlowsKeys() []string { return l.everyLane(flowsIndex) }

func (l *Lanes) everyLane(key string) []string {
	keys := make([]string, l.lanes)
	for lane := range keys {
		keys[lane] = l.lanePrefix(lane) + key
	}
	return keys
}

// Lane is the lane of a flow: hash(flow id) % lanes, fixed for a deployment.
func (l *Lanes) Lane(id flows.ID) int {
	h := fnv.New32a()
	_, _ = h.Write([]byte(id))
	return int(h.Sum32() % uint32(l.lanes)) //nolint:gosec // the number of lanes is small and positive
}

func (l *Lanes) lanePrefix(lane int) string {
	return l.prefix + ":{" + strconv.Itoa(lane) + "}:"
}

// tag gives the hash tag of a key or channel name: connections of a cluster are kept per tag.
func tag(name string) string {
	for i := 0; i < len(name); i++ {
		if name[i] != '{' {
			continue
		}
		for j := i + 1; j < len(name); j++ {
			if name[j] == '}' {
				return name[i+1 : j]
			}
		}
	}
	return name
}
