package smartclient

import (
	"log/slog"
	"testing"
	"time"

	"fairlead.dev/registry"
)

// What is explained as in must be what gets picked, whatever is ejected.
func TestExplainAgreesWithPicking(t *testing.T) {
	const now = time.Second
	list := instances(100, 100, 100, 100, 100, 100)
	for i := range list {
		list[i].Zone = map[bool]string{true: "here", false: "there"}[i < 2]
	}
	list[4].Status, list[5].Enabled = registry.Suspect, false
	for mask := range 1 << len(list) {
		b := newBalancer("identity", Options{Zone: "here", Logger: slog.New(slog.DiscardHandler)}.withDefaults())
		v, err := b.view(servicing(list), 0)
		if err != nil {
			t.Fatal(err)
		}
		for i := range v.all() {
			if e := &v.all()[i]; mask&(1<<(e.instance.ID[3]-'0')) != 0 {
				e.load.ejected.eject(now)
			}
		}
		v.assess()
		counts := picks(v, 300, now, nil)
		x := registry.Explain(registry.Evidence{
			Service: "identity", Table: registry.NewTable("test", "e").WithService("identity", 1, list), Local: v.explain(now),
		})
		for _, one := range x.Instances {
			if one.In != (counts[one.Instance] > 0) {
				t.Errorf("ejected %06b: %s was picked %d times, explained as %q", mask, one.Instance, counts[one.Instance], one.Verdict)
			}
		}
	}
}

func TestExplainOfWhatWasNeverCalled(t *testing.T) {
	if got := NewTransport(Options{}).Explain("identity"); got != nil {
		t.Errorf("explained as %v", got)
	}
}
