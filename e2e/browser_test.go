//go:build e2e

package e2e

import (
	"crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/internal/testmedia"
	"github.com/upscaled-media/upscaled/models"
)

// visit is what browser.mjs reports.
type visit struct {
	Failure    string
	Complaints []string // of the page
	Message    string   // that the page shows
	Steps      []struct {
		Name  string
		Took  float64 // ms
		Clock float64 // the player's, at the end
	}
	Frames []shown
	Events []event
	Onsets []struct { // of beeps
		Phase string
		At    float64 // s of the audio clock
	}
	Clocks []struct { // the audio clock beside the player's
		Phase     string
		At, Clock float64 // s
	}
}

// shown is a picture that the browser put on the page.
type shown struct {
	Phase                 string
	Number                *int    // nil where none could be read
	Time                  float64 // of the film, s
	Late                  float64 // s that the player's clock was beyond it when it was told of
	Now                   float64 // ms of the page's clock
	Presented             int     // pictures so far
	Width, Height         int
	Colour, Detail, Light float64  // means
	Pace                  *float64 // real-time factor that the page told, nil while nothing was made
}

// event is what the video element told.
type event struct {
	Phase, Type string
	At          float64 // ms
	Clock       float64 // the player's
	Ahead       float64 // s that it has from there on
}

type step map[string]any

// site serves the example page as somebody would who uses it, with hls.js beside it.
func site(t testing.TB) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.Handle("GET /", http.FileServer(http.Dir("../docs/examples")))
	mux.Handle("GET /hls/", http.StripPrefix("/hls/", http.FileServer(http.Dir("node_modules/hls.js/dist"))))
	mux.HandleFunc("GET /favicon.ico", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// chromium returns where the browser is.
func chromium(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatalf("%v (deploy/install-deps.sh test installs it)", err)
	}
	return path
}

// visit has a browser play a film on the example page.
func (d *server) visit(site *httptest.Server, film string, rows int, steps []step) visit {
	d.t.Helper()
	return d.browse(fmt.Sprintf("%s/player.html?%s#token=%s", site.URL, url.Values{
		"server": {d.url()}, "source": {"films/" + film}, "hls": {"hls/hls.min.js"},
	}.Encode(), token), rows, steps)
}

// browse has a browser go through steps on a page.
func (d *server) browse(page string, rows int, steps []step) visit {
	d.t.Helper()
	task, err := json.Marshal(map[string]any{"page": page, "chromium": chromium(d.t), "height": rows, "steps": steps})
	must(d.t, err)
	var v visit
	must(d.t, json.Unmarshal(tool(d.t, nil, "node", "browser.mjs", string(task)), &v))
	if v.Failure != "" || len(v.Complaints) > 0 {
		d.t.Fatalf("%s; the page: %q, it complains of %q; steps %v\n%s", v.Failure, v.Message, v.Complaints, v.Steps, d.log)
	}
	for _, one := range v.Steps {
		d.t.Logf("%s took %.0f ms", one.Name, one.Took)
	}
	return v
}

// TestBrowser plays a film in Chromium through hls.js on the example page: from its
// begin, forward and back, with another filter, another model, another size, and to
// the end. Each picture is the one that belongs to its time, nothing stalls, and
// beeps are heard with their flashes.
func TestBrowser(t *testing.T) {
	pages := site(t)
	d := start(t, settings{"auth.origins": pages.URL})
	f := film{name: "film.mkv", rate: testmedia.Ratio{Num: 25, Den: 1}, frames: 90 * 25, args: "-c:v libx264 -preset ultrafast -g 50 -c:a aac"}
	f.draw(t, d.films)
	v := d.visit(pages, f.name, height, []step{
		{"name": "begin", "do": "play", "seconds": 3},
		{"name": "forward", "do": "seek", "to": 84.5, "seconds": 1.5},
		{"name": "back", "do": "seek", "to": 12.2, "seconds": 1.5},
		{"name": "filter", "do": "change", "control": "saturation", "value": 0, "until": "f.light < 150 && f.colour < 1", "seconds": 0.5},
		{"name": "model", "do": "change", "control": "model", "value": blurring, "until": "f.light < 150 && f.detail < 130", "seconds": 0.5},
		{"name": "scale", "do": "change", "control": "model", "value": tripling, "until": fmt.Sprintf("f.height === %d", 3*height), "seconds": 1.5},
		{"name": "before", "do": "seek", "to": 4.4, "seconds": 1}, // made in the old size
		{"name": "end", "do": "seek", "to": 88, "seconds": 1},
		{"name": "over", "do": "end"},
	})
	v.right(t, f)
	v.changed(t)
	v.smooth(t)
	v.audible(t, "begin")
	v.audible(t, "scale")
}

// right checks that every picture is the one that belongs to its time.
func (v visit) right(t *testing.T, f film) {
	t.Helper()
	wrong := 0
	for i, p := range v.Frames {
		want := int(math.Round(p.Time * float64(f.rate.Num) / float64(f.rate.Den)))
		if p.Number == nil || *p.Number != want {
			wrong++
			got := -1
			if p.Number != nil {
				got = *p.Number
			}
			t.Logf("picture %d of %s, at %.3f s: number %d instead of %d", i, p.Phase, p.Time, got, want)
		}
	}
	if wrong > 0 || len(v.Frames) < 100 {
		t.Errorf("%d of %d pictures are wrong", wrong, len(v.Frames))
	}
	if last := v.Frames[len(v.Frames)-1]; *last.Number != f.frames-1 {
		t.Errorf("the last picture is number %d", *last.Number)
	}
}

// of returns the pictures of a phase.
func (v visit) of(phase string) []shown {
	return slices.DeleteFunc(slices.Clone(v.Frames), func(p shown) bool { return p.Phase != phase })
}

// changed checks that pictures had their old look until a change, and the new one
// then, and in the parts of the film that are made anew alone.
func (v visit) changed(t *testing.T) {
	t.Helper()
	first := func(phase string) shown { return v.of(phase)[0] }
	last := func(phase string) shown { p := v.of(phase); return p[len(p)-1] }
	// A flash has neither colour nor much detail.
	most := func(phase string, value func(shown) float64) (found float64) {
		for _, p := range v.of(phase) {
			found = max(found, value(p))
		}
		return found
	}
	colour, detail := func(p shown) float64 { return p.Colour }, func(p shown) float64 { return p.Detail }
	if was, is := most("back", colour), last("model").Colour; was < 3 || is >= 1 {
		t.Errorf("colour %.1f became %.1f", was, is)
	}
	if was, is := most("back", detail), last("model").Detail; was < 200 || is >= was/2 {
		t.Errorf("detail %.1f became %.1f", was, is)
	}
	if rows := last("before").Height; rows != 2*height {
		t.Errorf("before the change: %d rows", rows)
	}
	for phase, rows := range map[string][2]int{
		"begin": {2, 2}, "back": {2, 2}, "model": {2, 2}, "scale": {2, 3}, "over": {3, 3},
	} {
		if got := [2]int{first(phase).Height / height, last(phase).Height / height}; got != rows {
			t.Errorf("%s: pictures are %v times as large, from the first to the last", phase, got)
		}
	}
}

// A stall is longer than hiccup, as is a jump: the machine may be busy. Where the
// player has as much as scant, it is the browser that does not get along.
const (
	hiccup = 250 * time.Millisecond
	scant  = 300 * time.Millisecond
)

// smooth checks that the player never waited for the server but for where it was
// sent, as long as that works faster than the film plays, and never skips anything.
func (v visit) smooth(t *testing.T) {
	t.Helper()
	for _, phase := range []string{"begin", "filter", "model", "scale"} {
		pictures := v.of(phase)
		for i := 1; i < len(pictures); i++ {
			was, is := pictures[i-1], pictures[i]
			film, wall := seconds(is.Time-was.Time), seconds((is.Now-was.Now)/1000)
			if film < 0 || film-wall > hiccup {
				t.Errorf("%s: %s of the film in %s, at %.3f s", phase, film, wall, is.Time)
			}
		}
	}
	playing, ended := false, false
	for i, e := range v.Events {
		t.Logf("%-8s %-8s at %6.0f ms, %6.3f s, %.3f s ahead", e.Phase, e.Type, e.At, e.Clock, e.Ahead)
		switch e.Type {
		case "playing":
			playing = true
		case "seeking":
			playing = false
		case "ended":
			playing, ended = false, true
		case "emptied", "error":
			t.Errorf("%s: %s at %.3f s", e.Phase, e.Type, e.Clock)
		case "waiting":
			lasted := time.Hour
			if i+1 < len(v.Events) {
				lasted = seconds((v.Events[i+1].At - e.At) / 1000)
			}
			switch stall := playing && lasted > hiccup && seconds(e.Ahead) < scant; {
			case stall && v.keptUp(e.At):
				t.Errorf("%s: the picture stood for %s at %.3f s", e.Phase, lasted, e.Clock)
			case stall:
				t.Logf("%s: the machine could not keep up at %.3f s", e.Phase, e.Clock)
			}
		}
	}
	if !ended {
		t.Error("the end was not told")
	}
}

// keptUp reports whether the server told that it works faster than the film plays,
// in the seconds before a time of the page's clock.
func (v visit) keptUp(at float64) bool {
	for _, p := range v.Frames {
		if p.Pace != nil && *p.Pace < 1 && p.Now <= at && p.Now > at-3000 {
			return false
		}
	}
	return true
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// audible checks that beeps of a phase are heard with their flashes. What the page is
// told comes with a delay that varies as the machine is busy, so clocks are compared
// by the median of readings.
func (v visit) audible(t *testing.T, phase string) {
	t.Helper()
	const bound, near = 40 * time.Millisecond, 0.4
	var late []float64
	for _, p := range v.of(phase) {
		late = append(late, p.Late)
	}
	heard := 0
	for _, o := range v.Onsets {
		var lead []float64 // of the player's clock
		for _, c := range v.Clocks {
			if math.Abs(c.At-o.At) < near {
				lead = append(lead, c.Clock-c.At)
			}
		}
		if o.Phase != phase || len(lead) == 0 {
			continue
		}
		at := o.At + median(lead)
		off := seconds(at - math.Round(at) - median(late))
		t.Logf("%s: the beep at %.0f s is heard %s after its flash is seen", phase, at, off.Round(time.Millisecond))
		if off.Abs() > bound && at > 0.5 { // at the very begin the clock stands still
			t.Errorf("%s: the beep at %.0f s is %s from its flash", phase, at, off)
		}
		heard++
	}
	if heard == 0 {
		t.Errorf("%s: no beep is heard", phase)
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

var photograph = flag.String("photograph", "", "PNG file that gets a picture of the example page with a real film")

// TestBrowserPlaysARealFilm plays a film of the usual kind with the model that is
// built in: every picture is the model's, and the page tells so.
func TestBrowserPlaysARealFilm(t *testing.T) {
	const film = "../../shared/media/bbb-480p24-30s.mp4"
	if _, err := os.Stat(film); err != nil {
		t.Skipf("%s, which is not part of the repository, is not here", film)
	}
	pages := site(t)
	d := start(t, settings{"auth.origins": pages.URL, "models.default": models.Default})
	data, err := os.ReadFile(film)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(d.films, "big-buck-bunny.mp4"), data, 0o600))
	steps := []step{
		{"name": "play", "do": "press", "control": "play"},
		{"name": "size", "do": "wait", "until": `document.querySelector("video").videoHeight === 960`},
		{"name": "go", "do": "go", "to": 12}, // where there is something to see
		{"name": "far", "do": "wait", "until": `document.querySelector("video").currentTime > 16.5`},
		{"name": "figures", "do": "wait", "until": `Number(document.getElementById("stat-upscaled")?.textContent) > 100`},
	}
	if *photograph != "" {
		path, err := filepath.Abs(*photograph)
		must(t, err)
		steps = append(steps, step{"name": "photograph", "do": "photograph", "path": path})
	}
	d.visit(pages, "big-buck-bunny.mp4", 0, steps)
	s := get[struct{ Sessions []session }](d, "/v1/sessions").Sessions[0]
	if s.Stats.Frames.Plain != 0 || s.Stats.Frames.Upscaled < 100 || s.Stats.Model != models.Default {
		t.Errorf("%+v", s.Stats)
	}
}

// TestPageLoadsWhatIsTested holds the example page to the hls.js that these tests
// play through.
func TestPageLoadsWhatIsTested(t *testing.T) {
	page, err := os.ReadFile("../docs/examples/player.html")
	must(t, err)
	code, err := os.ReadFile("node_modules/hls.js/dist/hls.min.js")
	must(t, err)
	described, err := os.ReadFile("node_modules/hls.js/package.json")
	must(t, err)
	var pkg struct{ Version string }
	must(t, json.Unmarshal(described, &pkg))
	sum := sha512.Sum384(code)
	for _, want := range []string{"hls.js@" + pkg.Version + "/dist/hls.min.js", "sha384-" + base64.StdEncoding.EncodeToString(sum[:])} {
		if !strings.Contains(string(page), want) {
			t.Errorf("docs/examples/player.html lacks %s", want)
		}
	}
}
