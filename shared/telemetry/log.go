package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// NewLogger makes a structured logger. level is debug, info, warn or error; format is text or json;
// every line bears the node.
func NewLogger(w io.Writer, level, format, node string) (*slog.Logger, error) {
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return nil, fmt.Errorf("log level %q is none of debug, info, warn, error", level)
	}
	options := &slog.HandlerOptions{Level: l}
	var handler slog.Handler
	switch format {
	case "text":
		handler = slog.NewTextHandler(w, options)
	case "json":
		handler = slog.NewJSONHandler(w, options)
	default:
		return nil, fmt.Errorf("log format %q is none of text, json", format)
	}
	return slog.New(handler).With("node", node), nil
}
