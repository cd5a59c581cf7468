package smartclient

import (
	"testing"
	"time"

	"fairlead.dev/registry"
)

func TestTerms(t *testing.T) {
	policy := registry.Policy{
		Attempts: 5, Timeout: registry.Duration(2 * time.Second), TryTimeout: registry.Duration(time.Second),
		Hedge: true, IdempotencyKey: true,
	}
	for name, tc := range map[string]struct {
		options Options
		policy  registry.Policy
		want    terms
	}{
		"nobody says anything": {want: terms{attempts: 3}},
		"the policy speaks": {policy: policy, want: terms{
			attempts: 5, timeout: 2 * time.Second, tryTimeout: time.Second, hedge: true, keys: true,
		}},
		"the caller speaks": {
			options: Options{MaxAttempts: 1, AttemptTimeout: time.Millisecond, Hedge: Off, IdempotencyKeys: true},
			policy:  policy,
			want:    terms{attempts: 1, timeout: 2 * time.Second, tryTimeout: time.Millisecond, keys: true, giveKeys: true},
		},
		"the caller wants no bounds": {
			options: Options{AttemptTimeout: -1}, policy: policy,
			want: terms{attempts: 5, timeout: 2 * time.Second, hedge: true, keys: true},
		},
		"the caller alone": {
			options: Options{Hedge: On, IdempotencyKeys: true}, want: terms{attempts: 3, hedge: true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := termsOf(tc.options, tc.policy); got != tc.want {
				t.Errorf("got %+v, want %+v", got, tc.want)
			}
		})
	}
}
