package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
)

// TestBadFiles loads each file of testdata, whose lines that begin with #! are
// all that is to be said of it.
func TestBadFiles(t *testing.T) {
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil || len(files) < 20 {
		t.Fatalf("%d files: %v", len(files), err)
	}
	for _, name := range files {
		t.Run(filepath.Base(name), func(t *testing.T) {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			want := []string{"configuration, with " + name + ":"}
			for line := range strings.Lines(string(text)) {
				if expected, ok := strings.CutPrefix(line, "#! "); ok {
					want = append(want, strings.TrimSuffix(expected, "\n"))
				}
			}
			c, err := Load(Sources{File: name})
			if fmt.Sprint(err) != strings.Join(want, "\n") || !reflect.DeepEqual(c, Config{}) {
				t.Errorf("got\n%v\nwant\n%s", err, strings.Join(want, "\n"))
			}
		})
	}
}

func TestLayers(t *testing.T) {
	file := []byte("hls: {segment: 2s}\nsessions: {max: 2, idle: 20s}\nmedia:\n  roots:\n    - {name: films, path: /srv/films}\n")
	environ := []string{"UPSCALED_SESSIONS__MAX=3", "UPSCALED_SESSIONS__IDLE=30s", "HOME=/root", "UPSCALED_ORT_LIBRARY=/x", "UPSCALED_CONFIG=/y"}
	c, err := load(file, environ, map[string]string{"sessions.max": "4"})
	if err != nil {
		t.Fatal(err)
	}
	if c.HLS.Segment != 2*time.Second || c.Sessions.Idle != 30*time.Second || c.Sessions.Max != 4 || c.Sessions.Stall != Defaults().Sessions.Stall {
		t.Errorf("%+v", c)
	}
	if !reflect.DeepEqual(c.Media.Roots, []Root{{"films", "/srv/films"}}) {
		t.Errorf("%+v", c.Media.Roots)
	}
}

// TestEveryKeyFromTheEnvironment sets each key, and looks at what it became.
func TestEveryKeyFromTheEnvironment(t *testing.T) {
	token, err := auth.ParseToken("0123456789abcdef")
	if err != nil {
		t.Fatal(err)
	}
	secret, err := auth.ParseSecret("fedcba9876543210")
	if err != nil {
		t.Fatal(err)
	}
	want := Config{
		Listen: "[::]:1",
		Auth: Auth{
			Token: token, Origins: []auth.Origin{"https://a.example", "null"}, CapabilityTTL: time.Hour,
			Proxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128")},
		},
		Media:     Media{Roots: []Root{{"a", "/a"}, {"b", "/b=c"}}, HTTP: HTTP{Hosts: []string{"a.example", "b.example:81"}, MaxBytes: 1 << 30, Timeout: 3 * time.Second}},
		Sessions:  Sessions{Max: 2, Idle: 2 * time.Hour, ReadAhead: 30 * time.Second, Stall: 3 * time.Second, StartTimeout: 90 * time.Second},
		HLS:       HLS{Segment: 500 * time.Millisecond},
		Live:      Live{Window: 30 * time.Second, Part: 300 * time.Millisecond, Connect: 5 * time.Second, Reconnect: time.Hour, Stall: 2 * time.Second, RTSP: "udp"},
		Cache:     Cache{Path: "/c", MaxBytes: 1 << 40},
		Workers:   Workers{Command: "/bin/upscaled", Spare: 0, Memory: 512 << 20},
		Admission: Admission{Share: 0.5},
		Jobs: Jobs{
			Path: "/j", Concurrency: 3, Yield: true, Share: 0.25, Max: 7, Keep: 5, Roots: Names{"b", "a"},
			Webhook: Webhook{Hosts: []string{"c.example"}, Secret: secret},
		},
		Transcode: Transcode{Queue: 3, QueueWait: time.Minute, BodyIdle: 2 * time.Second, ReaderIdle: time.Hour, Spool: "/s", SpoolMax: 1 << 20},
		Control:   Control{Max: 1, MaxMessage: 1024, Queue: 9, AuthTimeout: 2 * time.Second, Ping: 3 * time.Second},
		WebRTC: WebRTC{
			Port: 3, Ports: Ports{5, 9}, Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},
			Peers: 2, Connect: 2 * time.Second, Silence: 3 * time.Second,
		},
		Limits:   Limits{Body: 2048, Header: 8192, Connections: 9, HeaderTimeout: 4 * time.Second},
		TLS:      TLS{Cert: "/t.crt", Key: "/t.key"},
		Models:   Models{Default: "other.x4", Provider: "cpu"},
		LUTs:     LUTs{Path: "/l"},
		Log:      Log{Level: slog.LevelDebug, Format: "json"},
		Shutdown: Shutdown{},
	}
	var environ []string
	for _, k := range keysOf(&want) {
		value := written(k.field)
		switch {
		case k.section || strings.HasSuffix(k.name, "_file"):
			continue
		case k.name == "jobs.webhook.secret":
			value = "fedcba9876543210"
		case k.name == "auth.token":
			value = "0123456789abcdef"
		case k.name == "log.level":
			value = "debug"
		case k.field.Kind() == reflect.Slice:
			value = strings.ReplaceAll(strings.Trim(value, "[]"), " ", ", ")
		}
		environ = append(environ, k.env()+"="+value)
	}
	got, err := load(nil, environ, nil)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}

func TestBadEnvironmentAndCommandLine(t *testing.T) {
	secret := "0123456789abcdef"
	for name, c := range map[string]struct {
		environ []string
		flags   map[string]string
		want    string
	}{
		"unknown variable": {[]string{"UPSCALED_HLS__SEGMNET=1s"}, nil, "UPSCALED_HLS__SEGMNET: there is no such key; hls.segment may be meant"},
		"a section":        {[]string{"UPSCALED_HLS=1s"}, nil, "UPSCALED_HLS: there is no such key; hls may be meant"},
		"lower case":       {[]string{"UPSCALED_hls__segment=1s"}, nil, "UPSCALED_hls__segment: there is no such key; hls.segment may be meant"},
		"bare number":      {[]string{"UPSCALED_HLS__SEGMENT=5"}, nil, "hls.segment: must be a time with its unit, as in 10s (got 5 from UPSCALED_HLS__SEGMENT)"},
		"empty":            {[]string{"UPSCALED_SESSIONS__MAX="}, nil, `sessions.max: must be a whole number (got "" from UPSCALED_SESSIONS__MAX)`},
		"out of range":     {nil, map[string]string{"hls.segment": "10ms"}, "hls.segment: must be at least 500ms (got 10ms from the command line)"},
		"unknown flag":     {nil, map[string]string{"hls": "10ms"}, "hls: there is no such key; hls may be meant"},
		"token as a flag":  {nil, map[string]string{"auth.token": secret}, "auth.token: must not stand on the command line, where every user of the machine can read it; use API_TOKEN or auth.token_file"},
		"two tokens":       {[]string{"UPSCALED_AUTH__TOKEN=" + secret, "API_TOKEN=x" + secret}, nil, "auth.token: must not differ between API_TOKEN and UPSCALED_AUTH__TOKEN"},
		"short token":      {[]string{"API_TOKEN=short"}, nil, "auth.token: not a token: it must have 16 to 256 characters, and has 5"},
		"roots":            {[]string{"UPSCALED_MEDIA__ROOTS=/srv/films"}, nil, "media.roots: must be NAME=PATH,NAME=PATH (got /srv/films from UPSCALED_MEDIA__ROOTS)"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := load(nil, c.environ, c.flags)
			if fmt.Sprint(err) != c.want {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
			var f *Fault
			if !errors.As(err, &f) || f.Key == "" || f.Rule == "" {
				t.Errorf("%v is no fault", err)
			}
		})
	}
}

func TestToken(t *testing.T) {
	const secret = "0123456789abcdef"
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(secret+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		file    string
		environ []string
		set     bool
	}{
		"none":            {"", nil, false},
		"file":            {"auth: {token: " + secret + "-x}", []string{"API_TOKEN=" + secret}, true}, // the environment lies above it
		"API_TOKEN":       {"", []string{"API_TOKEN=" + secret}, true},
		"its own":         {"", []string{"UPSCALED_AUTH__TOKEN=" + secret}, true},
		"both alike":      {"", []string{"API_TOKEN=" + secret, "UPSCALED_AUTH__TOKEN=" + secret}, true},
		"empty API_TOKEN": {"", []string{"API_TOKEN="}, false},
		"a file's":        {"auth: {token_file: " + path + "}", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := load([]byte(c.file), c.environ, nil)
			if err != nil || got.Auth.Token.IsSet() != c.set || got.Auth.Token.Matches(secret) != c.set {
				t.Errorf("%v, set: %v", err, got.Auth.Token.IsSet())
			}
			if strings.Contains(fmt.Sprintf("%+v %#v", got, got), secret) {
				t.Error("the token is printed")
			}
		})
	}
	for content, want := range map[string]string{"": "the file is empty", "short\n": "has 5", secret + "\n" + secret + "\n": "without spaces"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := load([]byte("auth: {token_file: "+path+"}"), nil, nil)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), secret) {
			t.Errorf("a file of %q: %v", content, err)
		}
	}
}

func TestListenForOtherMachinesNeedsAToken(t *testing.T) {
	for listen, open := range map[string]bool{
		"127.0.0.1:0": false, "localhost:80": false, "[::1]:80": false, "127.9.9.9:80": false, "[::ffff:127.0.0.1]:80": false,
		":80": true, "0.0.0.0:80": true, "[::]:80": true, "192.168.0.4:80": true, "films.example:80": true, "localhost.example:80": true,
	} {
		if _, err := load(nil, []string{"UPSCALED_LISTEN=" + listen}, nil); (err != nil) != open {
			t.Errorf("%s without a token: %v", listen, err)
		}
		if _, err := load(nil, []string{"UPSCALED_LISTEN=" + listen, "API_TOKEN=0123456789abcdef"}, nil); err != nil {
			t.Errorf("%s with a token: %v", listen, err)
		}
	}
}

func TestFileOfTheEnvironment(t *testing.T) {
	path := filepath.Join(t.TempDir(), "upscaled.yml")
	if err := os.WriteFile(path, []byte("hls: {segment: 3s}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := Load(Sources{Environ: []string{EnvFile + "=" + path}}); err != nil || c.HLS.Segment != 3*time.Second {
		t.Errorf("%v, %v", c.HLS.Segment, err)
	}
	if _, err := Load(Sources{File: path + "x", Environ: []string{EnvFile + "=" + path}}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if err := os.WriteFile(path, make([]byte, maxFileBytes+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(Sources{File: path}); err == nil || !strings.Contains(err.Error(), "more than 1MiB") {
		t.Errorf("a file that is too large: %v", err)
	}
}

func TestPathsOfTheMachine(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", "/home/a/.cache")
	c, err := load(nil, nil, nil)
	if err != nil || c.Cache.Path != "/home/a/.cache/upscaled/segments" || filepath.Base(c.Workers.Command) != "upscaled" || !filepath.IsAbs(c.Workers.Command) {
		t.Errorf("%v, %+v, %+v", err, c.Cache, c.Workers)
	}
	t.Setenv("XDG_CACHE_HOME", "")
	t.Setenv("HOME", "")
	if c, err = load(nil, nil, nil); err != nil || c.Cache.Path != "/var/cache/upscaled" {
		t.Errorf("%v, %+v", err, c.Cache)
	}
}

// FuzzLoad looks for files that are taken though they break a rule, and for those
// that are no file at all.
func FuzzLoad(f *testing.F) {
	files, err := filepath.Glob("testdata/*.bad.yml")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range append(files, "../../deploy/upscaled.yml") {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text, "1s")
	}
	f.Add([]byte("a: &a [*a]"), "NaN")
	f.Fuzz(func(t *testing.T, file []byte, value string) {
		if strings.Contains(string(file), "token_file") { // would be read
			return
		}
		c, err := load(file, []string{"UPSCALED_HLS__SEGMENT=" + value}, nil)
		if err != nil {
			return
		}
		for _, k := range keysOf(&c) {
			if rule := broken(k); !k.section && rule != "" {
				t.Errorf("%s: %s, and is %v", k.name, rule, k.field)
			}
		}
	})
}
