package session

import (
	"time"

	"helix/shared/flows"
)

// VersionBounds bound the versions of one flow.
type VersionBounds struct {
	Interval time.Duration // between two versions that the clock makes; 0: it makes none
	Keep     int           // versions of the clock, and as many named ones
	Bytes    int           // of their documents, deflated; named ones get half of it at most
}

// DefaultVersionBounds are the defaults.
var DefaultVersionBounds = VersionBounds{Interval: 5 * time.Minute, Keep: 50, Bytes: 4 << 20}

// Rest is for how long nobody must change a flow for a version to be made before the interval is over. No
// two versions of the clock are nearer to each other than that: the newer one takes the other's place.
func (b VersionBounds) Rest() time.Duration { return b.Interval / 5 }

// NamedFit says whether the named versions of a list are within the bounds: none of them is ever thinned out.
func (b VersionBounds) NamedFit(list []flows.Version) bool {
	named, bytes := 0, 0
	for i := range list {
		if list[i].Name != "" {
			named++
			bytes += list[i].StoredBytes
		}
	}
	return named <= b.Keep && bytes <= b.Bytes/2
}

// Thin takes versions without a name out of a list, newest first, until it is within the bounds: always the
// one that leaves the smallest hole for its age. So the newer ones stand close and the older ones far apart,
// and the list goes back to the beginning. The newest version stays, whatever its size.
func (b VersionBounds) Thin(list []flows.Version) (kept []flows.Version, gone []string) {
	kept = append(kept, list...)
	for {
		timed, bytes := 0, 0
		for i := range kept {
			bytes += kept[i].StoredBytes
			if kept[i].Name == "" {
				timed++
			}
		}
		if timed <= b.Keep && bytes <= b.Bytes {
			return kept, gone
		}
		i := least(kept)
		if i < 0 {
			return kept, gone
		}
		gone = append(gone, kept[i].ID)
		kept = append(kept[:i], kept[i+1:]...)
	}
}

// least is the version without a name that leaves the smallest hole for its age; the oldest of all only
// where there is no other, the newest never: then it is -1.
func least(list []flows.Version) int {
	best, smallest := -1, 0.0
	for i := 1; i < len(list); i++ {
		if list[i].Name != "" {
			continue
		}
		if i == len(list)-1 {
			if best < 0 {
				best = i
			}
			break
		}
		hole := max(list[i-1].At.Sub(list[i+1].At), 0)
		age := max(list[0].At.Sub(list[i].At), time.Millisecond)
		if size := hole.Seconds() / age.Seconds(); best < 0 || size < smallest {
			best, smallest = i, size
		}
	}
	return best
}
