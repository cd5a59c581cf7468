package report

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"
)

// What a page has around each part that is generated, by the part's name.
func markBegin(part string) string { return "<!-- " + part + " results: begin (generated) -->" }
func markEnd(part string) string   { return "<!-- " + part + " results: end -->" }

var errMarks = errors.New("has no place for results: expected the two marks")

// WriteInto replaces a generated part of a page.
func (r Results) WriteInto(page, part string) error {
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	next, err := replace(text, part, r.Markdown())
	if err != nil {
		return fmt.Errorf("%s: %w", page, err)
	}
	return os.WriteFile(page, next, 0o644)
}

func replace(page []byte, part, results string) ([]byte, error) {
	before, rest, began := bytes.Cut(page, []byte(markBegin(part)))
	_, after, ended := bytes.Cut(rest, []byte(markEnd(part)))
	if !began || !ended {
		return nil, errMarks
	}
	return slices.Concat(before, []byte(markBegin(part)+"\n"+results+markEnd(part)), after), nil
}

// Markdown returns the results as tables, with what they were measured on.
func (r Results) Markdown() string {
	var b strings.Builder
	m := r.Machine
	fmt.Fprintf(&b, "Measured %s in %s, at %s, on %d × %s, %s of memory, Linux %s, %s. A synced write of 4 KiB took %.2f ms (median).\n\n",
		r.Began.Format("2006-01-02"), r.Took.Round(time.Second), r.Commit, m.Cores, m.Processor, m.Memory, m.Kernel, m.Go, m.SyncMilliseconds)
	if r.Quick {
		b.WriteString("This was a quick run, to see whether it works: its figures mean little.\n\n")
	}
	for _, s := range r.Systems {
		fmt.Fprintf(&b, "- %s: %s\n", s.Name, s.Version)
	}
	for _, row := range r.Rows {
		r.section(&b, row)
	}
	return b.String()
}

func (r Results) section(b *strings.Builder, row Row) {
	fmt.Fprintf(b, "\n### %s\n\n%s\n\n| |", row.Title, row.Method)
	for _, s := range r.Systems {
		fmt.Fprintf(b, " %s |", s.Name)
	}
	b.WriteString(" to reach | ratio | |\n|---|")
	b.WriteString(strings.Repeat("---|", len(r.Systems)+3) + "\n")
	for _, f := range row.Figures {
		fmt.Fprintf(b, "| %s |", f.Title)
		for _, s := range r.Systems {
			fmt.Fprintf(b, " %s |", r.cell(f, s.Name))
		}
		fmt.Fprintf(b, " %s | %s | %s |\n", f.Target, ratio(f), f.Word)
	}
	for _, system := range slices.Sorted(maps.Keys(row.Failures)) {
		fmt.Fprintf(b, "\n%s failed: %s\n", system, strings.Join(row.Failures[system], "; "))
	}
}

func (r Results) cell(f Figure, system string) string {
	s, measured := f.Systems[system]
	if !measured {
		return "–"
	}
	return spread(s, f.Unit)
}
