// Package report holds the results of a run and shows them: as JSON, as text
// for a terminal, and as the generated part of a page.
package report

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"time"

	"fairlead.dev/bench/internal/machine"
	"fairlead.dev/bench/internal/stat"
	"fairlead.dev/bench/internal/verdict"
)

// Results are all that a run measured.
type Results struct {
	Began   time.Time     `json:"began"`
	Took    time.Duration `json:"took_ns"`
	Commit  string        `json:"commit"`
	Quick   bool          `json:"quick,omitempty"`
	Machine machine.Facts `json:"machine"`
	Systems []System      `json:"systems"`
	Rows    []Row         `json:"rows"`
}

// A System is one that took part.
type System struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Peer    bool   `json:"peer"`
}

// A Row is one measurement of several systems.
type Row struct {
	Name    string   `json:"name"`
	Title   string   `json:"title"`
	Method  string   `json:"method"`
	Figures []Figure `json:"figures"`
	// Failures are of systems that a round went wrong with.
	Failures map[string][]string `json:"failures,omitempty"`
}

// A Figure is one number, of every system, and how ours stands.
type Figure struct {
	Name    string                  `json:"name"`
	Title   string                  `json:"title"`
	Unit    string                  `json:"unit"`
	Target  verdict.Target          `json:"target"`
	Systems map[string]stat.Summary `json:"systems"`
	verdict.Verdict
}

// Short tells whether any figure is.
func (r Results) Short() bool {
	for _, row := range r.Rows {
		for _, f := range row.Figures {
			if f.Word == verdict.Short {
				return true
			}
		}
	}
	return false
}

// JSON writes the results.
func (r Results) JSON(w io.Writer) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(r)
}

// Save writes the results to a file.
func (r Results) Save(file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	if err := r.JSON(f); err != nil {
		_ = f.Close()
		return fmt.Errorf("write %s: %w", file, err)
	}
	return f.Close()
}

// Load reads what [Results.Save] wrote.
func Load(file string) (Results, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return Results{}, err
	}
	var r Results
	if err := json.Unmarshal(data, &r); err != nil {
		return Results{}, fmt.Errorf("read %s: %w", file, err)
	}
	return r, nil
}
