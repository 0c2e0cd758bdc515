package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"helix/shared/config"
)

type settings struct {
	HTTP struct {
		Addr  string          `key:"addr" help:"where clients connect"`
		Wait  config.Duration `key:"wait_time" help:"how long"`
		Size  config.Bytes    `key:"size" help:"how large"`
		Count int             `key:"count" help:"how many"`
		Names []string        `key:"names" help:"who"`
		Share float64         `key:"share" help:"how much"`
		Loud  bool            `key:"loud" help:"whether"`
	} `key:"http"`
	Redis struct {
		URL   string `key:"url" help:"which Redis"`
		Token string `key:"token" help:"a secret" secret:"true"`
	} `key:"redis"`
}

func defaults() *settings {
	s := &settings{}
	s.HTTP.Addr, s.HTTP.Wait, s.HTTP.Size, s.HTTP.Count = ":1", config.Duration(time.Minute), 1<<20, 3
	return s
}

func write(t *testing.T, yaml string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestLoad_fileAndEnvironmentGiveEqualResults_andKeepOtherDefaults(t *testing.T) {
	t.Parallel()
	byFile, byEnv := defaults(), defaults()
	if err := config.Load(byFile, "T", write(t, "http:\n  addr: ':9'\n  wait_time: 90s\n  size: 64KB\n  names: [a, b]\n  share: 0.25\n  loud: true\n"), nil); err != nil {
		t.Fatal(err)
	}
	if err := config.Load(byEnv, "T", "", []string{"T_HTTP_ADDR=:9", "T_HTTP_WAIT_TIME=90s", "T_HTTP_SIZE=64KB", "T_HTTP_NAMES=a, b", "T_HTTP_SHARE=0.25", "T_HTTP_LOUD=true", "OTHER=x", "TT=y"}); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(byFile, byEnv) {
		t.Fatalf("file %+v\nenvironment %+v", byFile, byEnv)
	}
	if byFile.HTTP.Addr != ":9" || byFile.HTTP.Wait != config.Duration(90*time.Second) || byFile.HTTP.Size != 64000 || byFile.HTTP.Count != 3 || len(byFile.HTTP.Names) != 2 || byFile.HTTP.Share != 0.25 || !byFile.HTTP.Loud {
		t.Fatalf("%+v", byFile)
	}
}

func TestLoad_environmentWinsOverTheFile(t *testing.T) {
	t.Parallel()
	s := defaults()
	if err := config.Load(s, "T", write(t, "http: {count: 5}"), []string{"T_HTTP_COUNT=6"}); err != nil || s.HTTP.Count != 6 {
		t.Fatalf("%d, %v", s.HTTP.Count, err)
	}
}

func TestLoad_namesEveryMistake(t *testing.T) {
	t.Parallel()
	cases := []struct{ yaml, env, want string }{
		{"http: {adr: x}", "", "unknown key http.adr; did you mean http.addr?"},
		{"nonsense: 1", "", "unknown key nonsense"},
		{"http: {count: many}", "", `http.count: "many" is no whole number`},
		{"http: {loud: 1}", "", `http.loud: "1" is neither true nor false`},
		{"http: {wait_time: 5}", "", `http.wait_time: "5" is no duration, such as 15s`},
		{"http: {size: big}", "", `http.size: "big" is no size, such as 1MiB`},
		{"http: {size: -1}", "", `http.size: "-1" is no size`},
		{"http: {addr: {x: 1}}", "", "unknown key http.addr.x"},
		{"http: [", "", "read the configuration file"},
		{"", "T_HTTP_ADR=x", "unknown variable T_HTTP_ADR; did you mean T_HTTP_ADDR?"},
		{"", "T_HTTP_COUNT=1.5", `T_HTTP_COUNT: "1.5" is no whole number`},
	}
	for _, c := range cases {
		file := ""
		if c.yaml != "" {
			file = write(t, c.yaml)
		}
		err := config.Load(defaults(), "T", file, []string{c.env})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s%s: got %v, want %s", c.yaml, c.env, err, c.want)
		}
	}
	if err := config.Load(defaults(), "T", "no/such/file.yaml", nil); err == nil || !strings.Contains(err.Error(), "no/such/file.yaml does not exist") {
		t.Error(err)
	}
	err := config.Load(defaults(), "T", "", []string{"T_HTTP_COUNT=x", "T_HTTP_SIZE=y"})
	if err == nil || !strings.Contains(err.Error(), "COUNT") || !strings.Contains(err.Error(), "SIZE") {
		t.Errorf("not all mistakes at once: %v", err)
	}
}

func TestLoad_ignoresWhatKubernetesSets(t *testing.T) {
	t.Parallel()
	environ := []string{"T_SERVICE_HOST=10.0.0.1", "T_SERVICE_PORT=1", "T_SERVICE_PORT_HTTP=1", "T_PORT=tcp://10.0.0.1:1", "T_PORT_4000_TCP=x", "T_PORT_4000_TCP_ADDR=x", "T_REDIS_SERVICE_HOST=x"}
	if err := config.Load(defaults(), "T", "", environ); err != nil {
		t.Fatal(err)
	}
}

func TestPrint_hidesSecrets_andIsReadBack(t *testing.T) {
	t.Parallel()
	s := defaults()
	s.Redis.URL, s.Redis.Token = "redis://user:pass:w@rd@host:1/0", "abc"
	var out bytes.Buffer
	if err := config.Print(&out, s); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), "pass") || strings.Contains(out.String(), "abc") || !strings.Contains(out.String(), "host:1") {
		t.Fatal(out.String())
	}
	s.Redis.URL, s.Redis.Token = "", ""
	out.Reset()
	_ = config.Print(&out, s)
	back := &settings{}
	if err := config.Load(back, "T", write(t, out.String()), nil); err != nil {
		t.Fatal(err)
	}
	back.HTTP.Names = s.HTTP.Names
	if !reflect.DeepEqual(back, s) {
		t.Fatalf("printed %s read %+v", out.String(), back)
	}
}

func TestHelpAndMarkdown_nameEverySetting(t *testing.T) {
	t.Parallel()
	var help, markdown bytes.Buffer
	if config.Help(&help, defaults(), "T") != nil || config.Markdown(&markdown, defaults(), "T") != nil {
		t.Fatal("cannot write")
	}
	for _, s := range config.Settings(defaults(), "T") {
		for _, out := range []string{help.String(), markdown.String()} {
			if !strings.Contains(out, s.Key) || !strings.Contains(out, s.Env) || !strings.Contains(out, s.Help) {
				t.Errorf("%s is not in\n%s", s.Key, out)
			}
		}
	}
}

func TestBytesAndDurations_areWrittenAsPeopleDo(t *testing.T) {
	t.Parallel()
	for b, want := range map[config.Bytes]string{0: "0", 1 << 20: "1MiB", 64 << 10: "64KiB", 1000: "1000", 1 << 30: "1GiB"} {
		if b.String() != want {
			t.Errorf("%d: %s", b, b)
		}
	}
	for d, want := range map[time.Duration]string{time.Minute: "1m", 30 * time.Minute: "30m", 720 * time.Hour: "720h", 15 * time.Second: "15s", 90 * time.Second: "1m30s"} {
		if got := config.Duration(d).String(); got != want {
			t.Errorf("%v: %s", d, got)
		}
	}
}
