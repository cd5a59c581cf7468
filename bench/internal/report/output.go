package report

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// An Output says where results go.
type Output struct {
	// Format of what is printed: text or json.
	Format string
	// Results is a file that gets them as JSON, Page one whose generated part
	// gets them; empty is none. Part names the part of the page.
	Results, Page, Part string
}

// Show saves and prints results.
func (o Output) Show(r Results, out io.Writer) error {
	if o.Results != "" {
		if err := errors.Join(os.MkdirAll(filepath.Dir(o.Results), 0o755), r.Save(o.Results)); err != nil {
			return err
		}
	}
	if o.Page != "" {
		if err := r.WriteInto(o.Page, o.Part); err != nil {
			return err
		}
	}
	if o.Format == "json" {
		return r.JSON(out)
	}
	return r.Text(out)
}

// Commit is what the working tree is at, as far as git knows.
func Commit(ctx context.Context) string {
	head, err := exec.CommandContext(ctx, "git", "describe", "--always", "--dirty").Output()
	if err != nil {
		return "an unknown commit"
	}
	return strings.TrimSpace(string(head))
}
