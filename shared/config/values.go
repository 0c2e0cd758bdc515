package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
	"time"
)

// Duration is a time span, written 15s, 30m or 720h.
type Duration time.Duration

func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Bytes is a size, written 1048576, 1MiB or 64KB.
type Bytes int64

var units = []struct {
	suffix string
	bytes  int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3}, {"B", 1}}

func (b Bytes) String() string {
	for _, u := range units[:3] {
		if b > 0 && int64(b)%u.bytes == 0 {
			return strconv.FormatInt(int64(b)/u.bytes, 10) + u.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10)
}

func parseBytes(text string) (Bytes, error) {
	number, factor := text, int64(1)
	for _, u := range units {
		if n, ok := strings.CutSuffix(text, u.suffix); ok {
			number, factor = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 || n > (1<<62)/factor {
		return 0, fmt.Errorf("%q is no size, such as 1MiB, 64KB or 1048576", text)
	}
	return Bytes(n * factor), nil
}

// set gives a field a value from YAML (its own type) or the environment (text).
func set(field reflect.Value, value any) error {
	if list, ok := value.([]any); ok && field.Kind() == reflect.Slice {
		var texts []string
		for _, v := range list {
			texts = append(texts, fmt.Sprint(v))
		}
		field.Set(reflect.ValueOf(texts))
		return nil
	}
	switch value.(type) {
	case string, bool, int, int64, uint64, float64, nil:
	default:
		return fmt.Errorf("%v is not one value", value)
	}
	text := ""
	if value != nil {
		text = strings.TrimSpace(fmt.Sprint(value))
	}
	switch field.Interface().(type) {
	case Duration:
		d, err := time.ParseDuration(text)
		if err != nil {
			return fmt.Errorf("%q is no duration, such as 15s, 30m or 720h", text)
		}
		field.SetInt(int64(d))
		return nil
	case Bytes:
		b, err := parseBytes(text)
		if err != nil {
			return err
		}
		field.SetInt(int64(b))
		return nil
	}
	switch field.Kind() {
	case reflect.String:
		field.SetString(text)
	case reflect.Int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is no whole number", text)
		}
		field.SetInt(int64(n))
	case reflect.Float64:
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			return fmt.Errorf("%q is no number", text)
		}
		field.SetFloat(n)
	case reflect.Bool:
		if text != "true" && text != "false" {
			return fmt.Errorf("%q is neither true nor false", text)
		}
		field.SetBool(text == "true")
	case reflect.Slice:
		var texts []string
		for t := range strings.SplitSeq(text, ",") {
			if t = strings.TrimSpace(t); t != "" {
				texts = append(texts, t)
			}
		}
		field.Set(reflect.ValueOf(texts))
	default:
		panic("config: a setting of type " + field.Type().String())
	}
	return nil
}

// text is how a value is written in a file.
func text(field reflect.Value) string {
	if list, ok := field.Interface().([]string); ok {
		return strings.Join(list, ",")
	}
	return fmt.Sprint(field.Interface())
}
