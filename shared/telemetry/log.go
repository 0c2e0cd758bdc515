package telemetry

import (
	"fmt"
	"io"
	"log/slog"
)

// levels are spelled out because slog's own parser also takes such things as "INFO+3".
var levels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

// NewLogger makes a structured logger. level is debug, info, warn or error; format is text or json;
// every line bears the node. Another level or format is an error that says what it may be.
func NewLogger(w io.Writer, level, format, node string) (*slog.Logger, error) {
	l, ok := levels[level]
	if !ok {
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
