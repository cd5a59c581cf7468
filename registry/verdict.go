package registry

import (
	"fmt"
	"strings"
	"time"
)

// verdict is the line that tells why an instance is in or out.
func (x Explained) verdict(now time.Time) string {
	switch x.Standing {
	case SwitchedOff:
		return "out: disabled" + signed(x.View.Owner, x.View.Reason, x.View.Until, now)
	case Leaving:
		return "out: draining" + x.drainedBy(now)
	case Aside:
		return "out: ejected by this client after " + plural(x.Local.Failures, "failure") + " in a row, " + x.Local.back()
	case Spare:
		return "out: " + x.spare()
	}
	return "in" + x.remarks(now)
}

// drainedBy tells an operator's word from the instance's own.
func (x Explained) drainedBy(now time.Time) string {
	if x.Facts != nil && x.Facts.Drain == nil || x.View.Owner == "" && x.View.Reason == "" && x.Facts == nil {
		return ", by its own word"
	}
	return signed(x.View.Owner, x.View.Reason, time.Time{}, now)
}

func (l Local) back() string {
	if l.BackInMS <= 0 {
		return "the next request tries it"
	}
	return "tried again in " + roughly(time.Duration(l.BackInMS)*time.Millisecond)
}

func (x Explained) spare() string {
	if x.elsewhere {
		return "in another zone, and this one has instances"
	}
	return x.doubt() + ", and there are better ones"
}

// doubt is the status with its cause, where Atlas told it.
func (x Explained) doubt() string {
	text := string(x.View.Status)
	if x.Facts != nil && x.Facts.Cause != "" {
		text += " (" + x.Facts.Cause + ")"
	}
	return text
}

// remarks are what is worth knowing of an instance that gets requests.
func (x Explained) remarks(now time.Time) string {
	var all []string
	if x.View.Status != Passing {
		all = append(all, x.doubt()+", but nothing better is left")
	}
	if x.Local != nil && x.Local.Ejected {
		all = append(all, "ejected by this client, but so are all others")
	}
	if f := x.Facts; f != nil {
		all = append(all, f.remarks(now)...)
	}
	if len(all) == 0 {
		return ""
	}
	return ": " + strings.Join(all, "; ")
}

func (f *Facts) remarks(now time.Time) (all []string) {
	if f.Held != "" {
		all = append(all, "held: "+f.Held)
	}
	if f.LeaseLeftMS < 0 {
		all = append(all, "no heartbeat for "+roughly(time.Duration(f.HeartbeatAgeMS)*time.Millisecond))
	}
	if f.Weight != nil {
		all = append(all, fmt.Sprintf("weight %d", f.Weight.Weight)+signed(f.Weight.Owner, f.Weight.Reason, time.Time{}, now))
	}
	return all
}

// unlisted tells why an instance is in no table, and what waits for it.
func (f *Facts) unlisted(now time.Time) string {
	if f.Registered {
		return "out: registered, but not in this table yet"
	}
	text := "out: not registered"
	if f.Flag != nil && !f.Flag.Enabled && !f.Flag.Expired(now) {
		text += "; disabled" + signed(f.Flag.Owner, f.Flag.Reason, f.Flag.Until, now)
	}
	if f.Drain != nil && f.Drain.Drain {
		text += "; draining" + signed(f.Drain.Owner, f.Drain.Reason, time.Time{}, now)
	}
	if f.Weight != nil {
		text += fmt.Sprintf("; weight %d", f.Weight.Weight) + signed(f.Weight.Owner, f.Weight.Reason, time.Time{}, now)
	}
	return text
}

// signed says who said something, why, and until when it holds.
func signed(owner, reason string, until, now time.Time) string {
	var text string
	if owner != "" {
		text += " by " + owner
	}
	if reason != "" {
		text += ": " + reason
	}
	if !until.IsZero() {
		text += ", until " + until.UTC().Format(time.RFC3339) + " (" + roughly(until.Sub(now)) + " left)"
	}
	return text
}

// roughly rounds to what people care about.
func roughly(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Hour:
		return d.Round(time.Second).String()
	}
	return strings.TrimSuffix(d.Round(time.Minute).String(), "0s")
}

func plural(n int, word string) string {
	if n != 1 {
		word += "s"
	}
	return fmt.Sprintf("%d %s", n, word)
}
