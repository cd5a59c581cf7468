package follow

import (
	"testing"

	"fairlead.dev/registry"
)

func TestMetadataIsAChangeLikeAnyOther(t *testing.T) {
	held := registry.NewTable("local", "e").WithService("identity", 5, []registry.Instance{{Service: "identity", ID: "a"}})
	change := func(previous uint64) *registry.Changes {
		return &registry.Changes{Service: "identity", Changes: []registry.Change{
			{Revision: 7, Previous: previous, Meta: &registry.Meta{Owner: "accounts"}},
		}}
	}
	after, ok := apply(held, 5, change(5))
	if s := after.Service("identity"); !ok || s.Meta.Owner != "accounts" || s.MetaRevision != 7 || s.Revision != 7 || s.Len() != 1 {
		t.Errorf("applied %v: %+v", ok, s)
	}
	if _, ok := apply(held, 5, change(6)); ok {
		t.Error("a gap was not seen")
	}
	merged := merge(held, registry.Interest{Realm: "local"}, registry.Snapshot{
		Revision: registry.Revision{Epoch: "e", Sequence: 9}, Services: after.Snapshot(registry.Interest{Realm: "local"}).Services,
	}, false)
	if merged.Hash() != after.Hash() || merged.Service("identity").MetaRevision != 7 {
		t.Errorf("the snapshot gave %+v", merged.Service("identity"))
	}
}
