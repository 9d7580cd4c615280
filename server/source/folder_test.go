package source

import (
	"errors"
	"os"
	"slices"
	"testing"
)

func TestFolder(t *testing.T) {
	o, dir := opener(t, map[string]string{
		"movies/in/a.mkv": "film", "movies/link": "→in", "movies/out": "→/tmp", "movies/up": "→../..", "movies/file": "x",
	})
	outside, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name    string
		missing bool
		code    Code // "": it is opened
	}{
		{"movies", false, ""},
		{"movies/in", false, ""},
		{"movies/link", false, ""},
		{"movies/new/er", true, ""},
		{"movies/new/er", true, ""},
		{"movies/none", false, CodeNotFound},
		{"movies/out", false, CodeRefused},
		{"movies/out/x", true, CodeRefused},
		{"movies/up", false, CodeRefused},
		{"movies/up/x", true, CodeRefused},
		{"movies/../x", true, CodeRefused},
		{"movies/", false, CodeRefused},
		{"movies/.", false, CodeRefused},
		{"", false, CodeRefused},
		{"/movies", false, CodeRefused},
		{"other", true, CodeRefused},
		{"other/x", true, CodeRefused},
		{"http://a.example/x", true, CodeRefused},
		{"movies/file/x", true, CodeNotFound},
	} {
		root, err := o.Folder(c.name, c.missing)
		if err == nil {
			err = root.Close()
		}
		if CodeOf(err) != c.code || c.code == "" && err != nil {
			t.Errorf("%q: %v, want %q", c.name, err, c.code)
		}
	}
	if now, err := os.ReadDir(dir); err != nil || len(now) != len(outside) {
		t.Errorf("outside of the root there is %v, and was %v; %v", now, outside, err)
	}
}

func TestWalk(t *testing.T) {
	o, _ := opener(t, map[string]string{
		"movies/b/c.mkv": "film", "movies/a.mkv": "film", "movies/.hid/x.mkv": "film", "movies/.x.mkv": "film",
		"movies/link.mkv": "→a.mkv", "movies/dir": "→b", "movies/odd\n.mkv": "film",
	})
	walk := func(folder string) (names, odd []string, err error) {
		err = o.Walk(t.Context(), folder, func(f File) error {
			names = append(names, f.Name)
			if f.Size != 4 || f.Modified.IsZero() {
				t.Errorf("%+v", f)
			}
			return nil
		}, func(name string) { odd = append(odd, name) })
		return names, odd, err
	}
	names, odd, err := walk("movies")
	if err != nil || !slices.Equal(names, []string{"movies/a.mkv", "movies/b/c.mkv"}) || !slices.Equal(odd, []string{"odd\uFFFD.mkv"}) {
		t.Errorf("%q, %q, %v", names, odd, err)
	}
	if names, _, err = walk("movies/b"); err != nil || !slices.Equal(names, []string{"movies/b/c.mkv"}) {
		t.Errorf("%q, %v", names, err)
	}
	if _, _, err = walk("movies/a.mkv"); err == nil {
		t.Error("a file was walked through")
	}
	stop := errors.New("enough")
	if err := o.Walk(t.Context(), "movies", func(File) error { return stop }, func(string) {}); !errors.Is(err, stop) {
		t.Error(err)
	}
}

func TestHostsOfOthers(t *testing.T) {
	hosts, err := NewHosts([]string{"media.example", "b.example:8443"})
	if err != nil {
		t.Fatal(err)
	}
	for url, want := range map[string]bool{
		"https://media.example/hook": true, "http://media.example": true, "https://b.example:8443/x": true, "https://b.example/": false,
		"https://other.example/": false, "ftp://media.example/": false, "media.example": false, "https://media.example:99/": false, "": false,
	} {
		if _, err := hosts.Check(url); (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
	}
	if _, err := NewHosts([]string{"http://x"}); err == nil {
		t.Error("a URL was taken for a host")
	}
}
