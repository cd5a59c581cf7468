package cache

import (
	"crypto/sha256"
	"testing"

	"fairlead.dev/registry"
)

// FuzzDecode puts a right checksum under whatever comes, so that what is
// behind it is reached.
func FuzzDecode(f *testing.F) {
	whole, err := encode(realm, generation(1).Snapshot)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole[len(magic) : len(whole)-sha256.Size])
	f.Add([]byte(`{"realm":"local","parts":[9223372036854775807]}` + "\n"))
	f.Add([]byte(`{"realm":"local","parts":[-1]}` + "\n"))
	f.Fuzz(func(t *testing.T, rest []byte) {
		data := append([]byte(magic), rest...)
		sum := sha256.Sum256(data)
		snapshot, err := decode(realm, append(data, sum[:]...))
		if err == nil {
			registry.NewTable("local", "e").WithServices(snapshot.Services)
		}
		if _, err := decode(realm, rest); err == nil {
			t.Error("no checksum was needed")
		}
	})
}
