package atlas

import (
	"context"
	"testing"
	"time"
)

func TestWhatIsDoneAboutTheBucket(t *testing.T) {
	now := time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)
	ours, other := now.Add(-time.Hour), now.Add(-time.Minute)
	for name, c := range map[string]struct {
		pos                    position
		leads, watched, behind bool
		want                   remedy
	}{
		"the one it knows":                         {pos: position{created: ours}, want: await},
		"the one it knows, and the leader":         {pos: position{created: ours}, leads: true, watched: true, want: await},
		"none, and the leader":                     {leads: true, watched: true, want: rebuild},
		"none, and a leader that was away":         {leads: true, want: rebuild},
		"none, and not the leader":                 {watched: true, want: abide},
		"an empty one, and the leader":             {pos: position{created: other, empty: true}, leads: true, want: rebuild},
		"another, and the leader watched":          {pos: position{created: other}, leads: true, watched: true, want: rebuild},
		"another, and a leader that was away":      {pos: position{created: other}, leads: true, want: adopt},
		"another, and not the leader":              {pos: position{created: other}, watched: true, want: abide},
		"another, which the leader has":            {pos: position{created: other}, watched: true, behind: true, want: adopt},
		"another, after having been away":          {pos: position{created: other}, want: adopt},
		"one half rebuilt, and the leader":         {pos: position{created: other, unfinished: true}, leads: true, watched: true, want: rebuild},
		"one half rebuilt, and a leader was away":  {pos: position{created: other, unfinished: true}, leads: true, want: rebuild},
		"one half rebuilt, after having been away": {pos: position{created: other, unfinished: true}, want: abide},
	} {
		t.Run(name, func(t *testing.T) {
			s := &state{model: newModel(), created: ours, lead: leadership{node: "a"}}
			s.model.epoch = "ours"
			if c.leads {
				s.lead.mandate = context.Background()
			}
			if c.watched {
				s.lead.answered = now.Add(-time.Second)
			}
			if c.behind {
				s.lead.roster.note(presence{Node: "b", Leads: true, Epoch: "other"}, now)
			}
			if got := s.diagnose(c.pos, now); got != c.want {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}
