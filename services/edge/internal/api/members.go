package api

import (
	"net/http"

	"helix/shared/flows"
)

// mostWithMembers bounds a page that tells of members: each flow on it costs a look at its presence.
const mostWithMembers = flows.DefaultPage

type member struct {
	ClientID string  `json:"client_id"`
	UserID   *string `json:"user_id"`
	Name     *string `json:"name"`
	Color    *string `json:"color"`
}

// addMembers tells of the flows of a page who is in them.
func (a *api) addMembers(r *http.Request, list []flowSummary) error {
	var active []flows.ID
	var of []int
	for i := range list {
		list[i].Members = &[]member{}
		if list[i].Active {
			active = append(active, list[i].FlowID)
			of = append(of, i)
		}
	}
	all, err := a.flows.Members(r.Context(), active)
	if err != nil {
		return err
	}
	for i, profiles := range all {
		members := make([]member, len(profiles))
		for j, p := range profiles {
			members[j] = member{p.ClientID, textOrNull(p.UserID), textOrNull(p.Name), textOrNull(p.Color)}
		}
		list[of[i]].Members = &members
	}
	return nil
}
