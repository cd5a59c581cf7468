package smartservice

import (
	"fmt"
	"io"
	"log/slog"
	"os"
)

// newLogger makes the service's own logger. The error names the variable.
func newLogger(w io.Writer, format, level string) (*slog.Logger, error) {
	var least slog.Level
	if level != "" {
		if err := least.UnmarshalText([]byte(level)); err != nil {
			return nil, fmt.Errorf("FAIRLEAD_LOG_LEVEL: must be debug, info, warn or error, got %q", level)
		}
	}
	opts := &slog.HandlerOptions{Level: least}
	switch format {
	case "json":
		return slog.New(slog.NewJSONHandler(w, opts)), nil
	case "text":
		return slog.New(slog.NewTextHandler(w, opts)), nil
	case "":
		return newLogger(w, formatFor(w), level)
	}
	return nil, fmt.Errorf("FAIRLEAD_LOG_FORMAT: must be json or text, got %q", format)
}

// formatFor is text for a person at a terminal and JSON for everything else.
func formatFor(w io.Writer) string {
	file, ok := w.(*os.File)
	if !ok {
		return "json"
	}
	info, err := file.Stat()
	if err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return "text"
	}
	return "json"
}
