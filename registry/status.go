package registry

import "fmt"

// Status is what the registry holds of an instance's fitness. The first four
// are the instance's own word in its heartbeats; Suspect is Atlas's doubt.
type Status string

const (
	// Passing takes requests.
	Passing Status = "passing"
	// Warning takes requests if nothing passing is left.
	Warning Status = "warning"
	// Critical takes none, except that suspects and critical ones are better
	// than an error.
	Critical Status = "critical"
	// Draining takes no new requests; those in flight finish.
	Draining Status = "draining"
	// Suspect has a lease in doubt: its heartbeats stopped and its probe is
	// late, failed, or answered without an identity.
	Suspect Status = "suspect"
)

// ValidateReported checks a status that an instance reports of itself.
func ValidateReported(s Status) error {
	switch s {
	case Passing, Warning, Critical, Draining:
		return nil
	}
	return &FieldError{Field: "status", Problem: fmt.Sprintf("must be passing, warning, critical or draining, got %s", quote(string(s)))}
}
