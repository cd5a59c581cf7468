package roster

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"fairlead.dev/registry"
)

func found(text string) map[string]sighting {
	return map[string]sighting{"a.yaml": {text: []byte(text)}}
}

const (
	one    = "name: greeting\nport: 5001\ninstance: a"
	two    = "name: greeting\nport: 5002\ninstance: a"
	broken = "name: greeting\nprt: 5002"
)

// What looks find, and the port that is in force after each of them; 0 is none.
func TestFold(t *testing.T) {
	none := map[string]sighting{}
	tests := []struct {
		name  string
		looks []map[string]sighting
		want  []int
	}{
		{"the first look is believed", []map[string]sighting{found(one)}, []int{5001}},
		{"a new file is believed when it has settled", []map[string]sighting{none, found(one), found(one)}, []int{0, 0, 5001}},
		{"what is being written is not", []map[string]sighting{found(one), found(""), found(two), found(two)}, []int{5001, 5001, 5001, 5002}},
		{"a broken file changes nothing", []map[string]sighting{found(one), found(broken), found(broken), found(two), found(two)}, []int{5001, 5001, 5001, 5001, 5002}},
		{"a file that is gone", []map[string]sighting{found(one), none, none}, []int{5001, 5001, 0}},
		{"a file that is replaced in two moves", []map[string]sighting{found(one), none, found(two), found(two)}, []int{5001, 5001, 5001, 5002}},
		{"a broken file that is gone", []map[string]sighting{found(one), found(broken), found(broken), none, none}, []int{5001, 5001, 5001, 5001, 0}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var files map[string]file
			for i, seen := range tt.looks {
				files = fold(files, seen, "local", i == 0)
				if got := files["a.yaml"].spec.Registration.Port; got != tt.want[i] {
					t.Errorf("after look %d port %d is in force, want %d", i+1, got, tt.want[i])
				}
			}
		})
	}
}

func TestOfTwoThatDeclareTheSameTheFirstIsInForce(t *testing.T) {
	files := fold(nil, map[string]sighting{
		"b.yaml": {text: []byte(two)}, "a.yaml": {text: []byte(one)}, "c.yaml": {err: errors.New("cannot be read")},
	}, "local", true)
	wanted, problems := wishes(files)
	key := registry.Key{Realm: "local", Service: "greeting", Instance: "a"}
	if len(wanted) != 1 || wanted[key].file != "a.yaml" {
		t.Errorf("wanted are %v", wanted)
	}
	if len(problems) != 2 || problems["b.yaml"] == nil || problems["c.yaml"] == nil {
		t.Errorf("problems are %v", problems)
	}
}

func TestScan(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a.yaml": 0o644, "b.yml": 0o600, "c.yaml~": 0o644, ".d.yaml": 0o644, "e.conf": 0o644, "open.yaml": 0o666} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(one), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(dir, "f.yaml"), 0o755), os.WriteFile(filepath.Join(dir, "large.yaml"), make([]byte, mostBytes+1), 0o600)); err != nil {
		t.Fatal(err)
	}
	seen, err := scan(dir)
	if err != nil {
		t.Fatal(err)
	}
	for name, good := range map[string]bool{"a.yaml": true, "b.yml": true, "f.yaml": false, "large.yaml": false, "open.yaml": false} {
		if s, there := seen[name]; !there || (s.err == nil) != good {
			t.Errorf("%s: seen %t, error %v", name, there, s.err)
		}
	}
	if len(seen) != 5 {
		t.Errorf("seen are %d", len(seen))
	}
	if _, err := scan(filepath.Join(dir, "nothing")); err == nil {
		t.Error("a directory that is not there is no error")
	}
}
