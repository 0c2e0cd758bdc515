package config

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
)

// Print writes the settings as a YAML file that Load reads, secrets hidden.
func Print(w io.Writer, target any) error {
	var out strings.Builder
	section := ""
	for _, s := range Settings(target, "") {
		group, key, nested := strings.Cut(s.Key, ".")
		if nested && group != section {
			fmt.Fprintf(&out, "%s:\n", group)
			section = group
		}
		value := s.shown()
		if _, err := strconv.Atoi(value); err != nil {
			value = strconv.Quote(value)
		}
		if nested {
			fmt.Fprintf(&out, "  %s: %s\n", key, value)
		} else {
			fmt.Fprintf(&out, "%s: %s\n", s.Key, value)
		}
	}
	_, err := io.WriteString(w, out.String())
	return err
}

// Help writes every setting with its variable, its default (the value in target) and its meaning.
func Help(w io.Writer, target any, prefix string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, s := range Settings(target, prefix) {
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", s.Key, s.Env, orDash(s.shown()), s.Help)
	}
	return t.Flush()
}

// Markdown writes the settings as a table for a README.
func Markdown(w io.Writer, target any, prefix string) error {
	var out strings.Builder
	out.WriteString("| key | variable | default | meaning |\n| --- | --- | --- | --- |\n")
	for _, s := range Settings(target, prefix) {
		fmt.Fprintf(&out, "| `%s` | `%s` | %s | %s |\n", s.Key, s.Env, code(s.shown()), s.Help)
	}
	_, err := io.WriteString(w, out.String())
	return err
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func code(s string) string {
	if s == "" {
		return ""
	}
	return "`" + s + "`"
}

const hidden = "(hidden)"

// password is what stands between the colon and the at sign of a URL's user.
var password = regexp.MustCompile(`(://[^:/@]*:)[^@]*@`)

// shown is a setting's value as people may see it.
func (s Setting) shown() string {
	value := text(s.field)
	if s.Secret && value != "" {
		return hidden
	}
	return password.ReplaceAllString(value, "${1}"+hidden+"@")
}
