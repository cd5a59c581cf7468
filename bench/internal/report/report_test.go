package report

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/verdict"
)

func results(ours float64) Results {
	target := verdict.Target{Better: verdict.Lower, Ratio: 0.7}
	return Results{
		Began: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: time.Minute, Commit: "abc",
		Systems: []System{{Name: "fairlead", Version: "1"}, {Name: "etcd", Version: "3", Peer: true}},
		Rows: []Row{{
			Name: "flip", Title: "One flip", Method: "So.", Failures: map[string][]string{"zookeeper": {"no java"}},
			Figures: []Figure{{
				Name: "p50", Title: "p50", Unit: "ms", Target: target,
				Systems: map[string]stat.Summary{"fairlead": stat.Summarize([]float64{ours}), "etcd": stat.Summarize([]float64{9, 10, 11})},
				Verdict: verdict.Judge(target, ours, map[string]float64{"etcd": 10}),
			}},
		}},
	}
}

func TestShort(t *testing.T) {
	t.Parallel()
	if results(7).Short() {
		t.Error("a run that reached everything is short")
	}
	if !results(7.5).Short() {
		t.Error("a run with a short figure is not short")
	}
}

func TestSavedResultsAreLoadedUnchanged(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "results.json")
	if err := results(5).Save(file); err != nil {
		t.Fatal(err)
	}
	got, err := Load(file)
	if err != nil || !reflect.DeepEqual(got, results(5)) {
		t.Errorf("Load = %+v, %v, want %+v", got, err, results(5))
	}
}

func TestTextNamesRatioAndVerdict(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	if err := results(5).Text(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"fairlead 5 ms", "etcd 10 ms (9–11)", "0.500 × etcd", "reached", "zookeeper failed: no java"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("text lacks %q:\n%s", want, &b)
		}
	}
}

func TestWriteIntoReplacesOnlyWhatIsGenerated(t *testing.T) {
	t.Parallel()
	page := filepath.Join(t.TempDir(), "page.md")
	other := markBegin("other") + "\nkept\n" + markEnd("other") + "\n"
	before := "# Title\n" + other + markBegin("registry") + "\nold\n" + markEnd("registry") + "\nend\n"
	if err := os.WriteFile(page, []byte(before), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := results(5).WriteInto(page, "registry"); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "# Title\n"+other+markBegin("registry")) || !strings.HasSuffix(text, markEnd("registry")+"\nend\n") || strings.Contains(text, "old") {
		t.Errorf("page is\n%s", text)
	}
	if !strings.Contains(text, "| p50 | 5 ms | 10 ms (9–11) | ≤ 0.7 × best peer | 0.500 × etcd | reached |") {
		t.Errorf("page lacks the row:\n%s", text)
	}
	if _, err := replace([]byte("no marks"), "registry", ""); !errors.Is(err, errMarks) {
		t.Errorf("replace without marks: %v, want %v", err, errMarks)
	}
}

func TestNumberShowsThreeDigits(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]float64{"0": 0, "3": 3, "1234": 1234.4, "12.3": 12.34, "1.23": 1.234, "0.012": 0.0123} {
		if got := number(v); got != want {
			t.Errorf("number(%v) = %q, want %q", v, got, want)
		}
	}
}
