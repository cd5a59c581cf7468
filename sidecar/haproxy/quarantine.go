package haproxy

import (
	"context"
	"encoding/csv"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// unwantedServers returns the deletion of every server in maintenance that no
// farm wants.
func unwantedServers(farms []*farm, have *model) (gone []command) {
	wanted := map[string]bool{}
	for _, f := range farms {
		slot := slotIn(have.entries[f.service], have.slots)
		for _, s := range f.servers {
			wanted[slot+"/"+s.name] = true
		}
	}
	for slot, servers := range have.servers {
		for name, s := range servers {
			if s.mode == maint && !wanted[slot+"/"+name] {
				gone = append(gone, command{verb: delServer, slot: slot, server: name})
			}
		}
	}
	return gone
}

// idleServers returns those of the deletions whose server has no request and
// nobody waiting: HAProxy 2.6 does not survive every other deletion.
func idleServers(ctx context.Context, api runtimeAPI, gone []command) ([]command, error) {
	slots := map[string]bool{}
	for _, c := range gone {
		slots[c.slot] = true
	}
	var questions []string
	for _, slot := range slices.Sorted(maps.Keys(slots)) {
		questions = append(questions, "show stat "+slot+" 4 -1")
	}
	answers, err := api.ask(ctx, questions...)
	if err != nil {
		return nil, err
	}
	busy := map[string]bool{}
	for _, text := range answers {
		rows, err := readStats(text)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			busy[row["pxname"]+"/"+row["svname"]] = row["scur"] != "0" || row["qcur"] != "0"
		}
	}
	return slices.DeleteFunc(gone, func(c command) bool {
		isBusy, known := busy[c.slot+"/"+c.server]
		return isBusy || !known
	}), nil
}

// readStats reads what `show stat` says, a map a line.
func readStats(text string) ([]map[string]string, error) {
	table := csv.NewReader(strings.NewReader(strings.TrimPrefix(text, "# ")))
	table.FieldsPerRecord = -1
	rows, err := table.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("read haproxy's statistics: %w", err)
	}
	if len(rows) == 0 {
		return nil, nil
	}
	list := make([]map[string]string, 0, len(rows)-1)
	for _, row := range rows[1:] {
		fields := make(map[string]string, len(row))
		for i, value := range row[:min(len(row), len(rows[0]))] {
			fields[rows[0][i]] = value
		}
		list = append(list, fields)
	}
	return list, nil
}
