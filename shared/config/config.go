// Package config fills a struct of settings from its defaults, a YAML file and the environment, in
// that order, and refuses what it does not know. It knows no setting itself: a service's struct names
// them by tags.
//
//	type Config struct {
//		HTTP struct {
//			Addr string `key:"addr" help:"where clients connect"`
//		} `key:"http"`
//	}
//
// A field's value before Load is its default. Its key is the path of key tags joined by dots
// (http.addr); its variable is the prefix and the key in capitals (HELIX_HTTP_ADDR). A field with
// secret:"true" is never printed; a password inside a URL neither.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/viper"
)

// Setting is one field of a struct of settings.
type Setting struct {
	Key    string
	Env    string
	Help   string
	Secret bool
	field  reflect.Value
}

// Settings lists the fields of a struct of settings, in their order. prefix begins the variables.
func Settings(target any, prefix string) []Setting {
	var all []Setting
	var walk func(v reflect.Value, path string)
	walk = func(v reflect.Value, path string) {
		for i := range v.NumField() {
			tag := v.Type().Field(i).Tag
			key := strings.TrimPrefix(path+"."+tag.Get("key"), ".")
			if v.Field(i).Kind() == reflect.Struct {
				walk(v.Field(i), key)
				continue
			}
			all = append(all, Setting{
				Key: key, Env: prefix + "_" + strings.ToUpper(strings.ReplaceAll(key, ".", "_")),
				Help: tag.Get("help"), Secret: tag.Get("secret") == "true", field: v.Field(i),
			})
		}
	}
	walk(reflect.ValueOf(target).Elem(), "")
	return all
}

// Load fills target, a pointer to a struct of settings: from file, unless that is empty, then from
// the variables in environ (as os.Environ gives them) that begin with prefix. All that is wrong is
// told at once, each by the name of its key or variable.
func Load(target any, prefix, file string, environ []string) error {
	settings := Settings(target, prefix)
	var wrong []error
	if file != "" {
		wrong = append(wrong, loadFile(settings, file)...)
	}
	return errors.Join(append(wrong, loadEnviron(settings, prefix, environ)...)...)
}

func loadFile(settings []Setting, file string) (wrong []error) {
	v := viper.New()
	v.SetConfigFile(file)
	v.SetConfigType("yaml")
	if err := v.ReadInConfig(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return []error{fmt.Errorf("the configuration file %s does not exist", file)}
		}
		return []error{fmt.Errorf("read the configuration file %s: %w", file, err)}
	}
	known := map[string]Setting{}
	for _, s := range settings {
		known[s.Key] = s
	}
	keys := v.AllKeys()
	slices.Sort(keys)
	for _, key := range keys {
		s, ok := known[key]
		if !ok {
			wrong = append(wrong, fmt.Errorf("%s: unknown key %s%s", file, key, suggest(key, settings)))
			continue
		}
		if err := set(s.field, v.Get(key)); err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %s: %w", file, key, err))
		}
	}
	return wrong
}

// serviceLink is a variable that Kubernetes gives to every pod for a Service whose name begins like
// our prefix: nobody set it.
var serviceLink = regexp.MustCompile(`_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?)$`)

func loadEnviron(settings []Setting, prefix string, environ []string) (wrong []error) {
	known := map[string]Setting{}
	for _, s := range settings {
		known[s.Env] = s
	}
	for _, variable := range environ {
		name, value, _ := strings.Cut(variable, "=")
		if !strings.HasPrefix(name, prefix+"_") {
			continue
		}
		s, ok := known[name]
		switch {
		case ok:
			if err := set(s.field, value); err != nil {
				wrong = append(wrong, fmt.Errorf("%s: %w", name, err))
			}
		case !serviceLink.MatchString(name):
			wrong = append(wrong, fmt.Errorf("unknown variable %s%s", name, suggest(name, settings)))
		}
	}
	return wrong
}

// suggest names the setting that a misspelled one is most like.
func suggest(wrong string, settings []Setting) string {
	best, least := "", len(wrong)/3+1
	for _, s := range settings {
		name := s.Key
		if wrong == strings.ToUpper(wrong) {
			name = s.Env
		}
		if d := distance(wrong, name); d < least {
			best, least = name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := before
			if a[i] != b[j] {
				cost = 1 + min(before, row[j], row[j+1])
			}
			before, row[j+1] = row[j+1], cost
		}
	}
	return row[len(b)]
}
