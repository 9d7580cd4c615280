package job

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/upscaled-media/upscaled/pipeline"
)

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(data), 0o600); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestOutputIsHiddenUntilItIsWhole(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.mkv")
	o, err := createOutput(path, false)
	if err != nil {
		t.Fatal(err)
	}
	if base := filepath.Base(o.temp); filepath.Dir(o.temp) != dir || base[0] != '.' {
		t.Errorf("the temporary file is %s", o.temp)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the final name is there too early")
	}
	write(t, o.temp, "whole")
	if err := o.finish(); err != nil {
		t.Fatal(err)
	}
	if got := read(t, path); got != "whole" {
		t.Errorf("the file holds %q", got)
	}
	if err := o.discard(); err != nil {
		t.Errorf("discard after finish: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
}

func TestFileThatAppearsMeanwhileStays(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.mkv")
	o, err := createOutput(path, false)
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, "theirs")
	if err := o.finish(); pipeline.CodeOf(err) != CodeOutputExists {
		t.Errorf("finish: %v, want %s", err, CodeOutputExists)
	}
	if got := read(t, path); got != "theirs" {
		t.Errorf("their file now holds %q", got)
	}
	if err := o.discard(); err != nil {
		t.Fatal(err)
	}
	forced, err := createOutput(path, true)
	if err != nil {
		t.Fatal(err)
	}
	write(t, forced.temp, "ours")
	if err := forced.finish(); err != nil || read(t, path) != "ours" {
		t.Errorf("with force: %v, %q", err, read(t, path))
	}
}

func TestCheckOutput(t *testing.T) {
	dir := t.TempDir()
	input, there := filepath.Join(dir, "in.mkv"), filepath.Join(dir, "there.mkv")
	write(t, input, "film")
	write(t, there, "film")
	link := filepath.Join(dir, "link.mkv")
	if err := os.Link(input, link); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, output string
		force        bool
		want         pipeline.Code // CodeInternal for none
	}{
		{"new", filepath.Join(dir, "new.mkv"), false, ""},
		{"there", there, false, CodeOutputExists},
		{"there, forced", there, true, ""},
		{"the input", input, true, CodeOutputRefused},
		{"a link to the input", link, true, CodeOutputRefused},
		{"a folder", dir, true, CodeOutputRefused},
		{"no folder", filepath.Join(dir, "none", "out.mkv"), false, CodeOutputRefused},
		{"under a file", filepath.Join(there, "out.mkv"), false, CodeOutputRefused},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := checkOutput(Request{Input: input, Output: c.output, Force: c.force})
			if c.want == "" && err != nil || c.want != "" && pipeline.CodeOf(err) != c.want {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
