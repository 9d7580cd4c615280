package daemon

import (
	"os"
	"slices"
	"testing"
)

func TestEnvironment(t *testing.T) {
	t.Setenv("UPSCALED_LISTEN", "0.0.0.0:1")
	t.Setenv("UPSCALED_ORT_LIBRARY", "/lib")
	t.Setenv("API_TOKEN", "secret")
	o := Options{Films: "/films", Cache: "/cache", Temporary: "/tmp/here", Set: map[string]string{"workers.spare": "3", "hls.segment": "2s"}}
	got := o.environment()
	for _, want := range []string{
		"UPSCALED_LISTEN=127.0.0.1:0", "UPSCALED_ORT_LIBRARY=/lib", "UPSCALED_MEDIA__ROOTS=films=/films", "UPSCALED_CACHE__PATH=/cache",
		"TMPDIR=/tmp/here", "UPSCALED_WORKERS__SPARE=3", "UPSCALED_HLS__SEGMENT=2s",
	} {
		if !slices.Contains(got, want) {
			t.Errorf("no %s in %q", want, got)
		}
	}
	for _, other := range []string{"UPSCALED_LISTEN=0.0.0.0:1", "API_TOKEN=secret"} {
		if slices.Contains(got, other) {
			t.Errorf("%s is passed on", other)
		}
	}
	if n := o.spare(); n != 3 {
		t.Errorf("%d spare workers", n)
	}
}

func TestProcess(t *testing.T) {
	self := Process(os.Getpid())
	rss, err := self.RSS()
	if err != nil || rss < 1<<20 || rss > 1<<32 {
		t.Errorf("%d bytes resident: %v", rss, err)
	}
	if _, err := self.CPU(); err != nil || !self.Lives() {
		t.Errorf("this process does not live: %v", err)
	}
	of, err := Process(os.Getppid()).Children()
	if err != nil || !slices.Contains(of, self) {
		t.Errorf("this process is not among %v: %v", of, err)
	}
	if Process(0).Lives() {
		t.Error("there is a process 0")
	}
}
