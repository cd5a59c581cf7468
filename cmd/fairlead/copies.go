package main

import (
	"fmt"
	"strings"

	"fairlead.dev/registry/protocol"
)

// judgeCopies says whether a cluster keeps as many copies of the registry as it
// should, and whether the loss of one more server would stop it.
func judgeCopies(c *protocol.Copies) []diagnosis {
	if c == nil {
		return nil
	}
	if c.Leader == "" {
		return []diagnosis{{"cluster", isFail, "the registry's copies have no leader: nothing can be written",
			"wait a few seconds for the election; if it stays so, start the servers that are away"}}
	}
	missing, inStep := missingCopies(c)
	d := diagnosis{Check: "cluster", Status: isOK, Detail: fmt.Sprintf("%d of %d copies in step, %s leads", inStep, c.Wanted, c.Leader)}
	if len(missing) == 0 && inStep == c.Wanted {
		return []diagnosis{d}
	}
	d.Status, d.Detail = isWarn, strings.Join(append([]string{d.Detail}, missing...), "; ")
	d.Hint = "start what is away; it catches up by itself"
	switch majority := c.Wanted/2 + 1; {
	case inStep < majority:
		d.Status, d.Detail = isFail, d.Detail+": too few for anything to be written"
	case inStep == majority:
		d.Hint += ". If one more server goes, nothing can be written"
	}
	return []diagnosis{d}
}

// missingCopies says of each follower what is wrong with it, and how many
// copies are in step, the leader's included.
func missingCopies(c *protocol.Copies) (missing []string, inStep int) {
	inStep = 1
	for _, f := range c.Followers {
		switch {
		case f.Away, !f.InStep && f.Behind == 0:
			missing = append(missing, f.Server+" is away")
		case !f.InStep:
			missing = append(missing, fmt.Sprintf("%s is %d changes behind", f.Server, f.Behind))
		default:
			inStep++
		}
	}
	return missing, inStep
}
