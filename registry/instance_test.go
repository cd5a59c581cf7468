package registry

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"
)

// TestTheHashIsPinned fails when the JSON of an instance changes, or what is hashed of it. Programs of
// older versions then compute other hashes: change HashVersion, and the golden
// file with it.
func TestTheHashIsPinned(t *testing.T) {
	in := Instance{
		Service: "identity", ID: "host001-5000", Scheme: "http", Host: "10.0.0.7", Port: 5000,
		Health: "/health/ready", Version: "1.4.2", Zone: "a", Weight: 100,
		Metadata: map[string]string{"git": "4f2a", "a<b": "&"}, Incarnation: "b1f0",
		Status: Passing, Enabled: false, Owner: "ana", Reason: "broken disk",
		Until: time.Date(2030, 1, 31, 18, 0, 0, 0, time.UTC), Since: time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC),
		Revision: 17,
	}
	text, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	got := string(text) + "\n" + FormatHash(in.Hash()) + "\n"
	want, err := os.ReadFile("testdata/instance.golden")
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("got\n%sexpected\n%s", got, want)
	}
	var again Instance
	if err := json.Unmarshal(text, &again); err != nil || again.Hash() != in.Hash() {
		t.Errorf("the hash did not survive the wire: %v", err)
	}
	in.Revision++
	if again.Hash() != in.Hash() {
		t.Error("the revision is part of the hash")
	}
}

func TestFormatHashBeginsWithItsVersion(t *testing.T) {
	if got := FormatHash(0xabc); got != "2:abc" || !strings.HasPrefix(got, HashVersion) {
		t.Errorf("got %s", got)
	}
}
