package report

import (
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"

	"fairlead.dev/bench/internal/stat"
)

// Text writes a table for a terminal.
func (r Results) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range r.Rows {
		fmt.Fprintf(t, "%s: %s\n", row.Name, row.Title)
		for _, f := range row.Figures {
			fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\n", f.Title, strings.Join(r.cells(f), "\t"), f.Target, ratio(f), f.Word)
		}
		for _, system := range slices.Sorted(maps.Keys(row.Failures)) {
			fmt.Fprintf(t, "  %s failed: %s\n", system, strings.Join(row.Failures[system], "; "))
		}
	}
	return t.Flush()
}

func (r Results) cells(f Figure) []string {
	var cells []string
	for _, s := range r.Systems {
		if of, measured := f.Systems[s.Name]; measured {
			cells = append(cells, s.Name+" "+spread(of, f.Unit))
		}
	}
	return cells
}

// spread shows a median, and the least and the most if they differ.
func spread(s stat.Summary, unit string) string {
	text := number(s.Median) + " " + unit
	if len(s.Rounds) > 1 {
		text += fmt.Sprintf(" (%s–%s)", number(s.Min), number(s.Max))
	}
	return text
}

// number shows three digits that matter.
func number(v float64) string {
	switch size := math.Abs(v); {
	case size >= 100 || v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	case size >= 10:
		return strconv.FormatFloat(v, 'f', 1, 64)
	case size >= 1:
		return strconv.FormatFloat(v, 'f', 2, 64)
	}
	return strconv.FormatFloat(v, 'f', 3, 64)
}

func ratio(f Figure) string {
	if f.Ratio == 0 {
		return ""
	}
	return number(f.Ratio) + " × " + f.Peer
}
