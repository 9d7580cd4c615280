package grid

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// small is the layout of the pictures of these tests, which are told apart by
// their first byte.
var small = frame.Layout{Format: frame.I420, Width: 16, Height: 16}

const caps = "video/x-raw,format=I420,width=16,height=16,framerate=25/1"

// shown is a picture that came out: which, when, for how long, and whether a key
// frame was asked for with it.
type shown struct {
	id        int
	at, until time.Duration
	key       bool
}

func (s shown) String() string {
	mark := ""
	if s.key {
		mark = " key"
	}
	return fmt.Sprintf("%d@%s-%s%s", s.id, s.at, s.until, mark)
}

// ahead is where the times of what comes out begin.
const ahead = 1000 * time.Hour

// table drives one element.
type table struct {
	t *testing.T
	*gsttest.Rig
	out []shown
	all []string // events
}

// lay begins a run of a plan.
func lay(t *testing.T, p Plan) *table {
	t.Helper()
	r := gsttest.NewRig(t, "segmentgrid")
	if !r.SetState(gsttest.Ready) {
		t.Fatal("it does not go back to READY")
	}
	if err := Set(r.Pointer(), p); err != nil {
		t.Fatal(err)
	}
	if !r.SetState(gsttest.Playing) || !r.Caps(caps) {
		t.Fatal("it does not start")
	}
	return &table{t: t, Rig: r}
}

// push sends picture id at a stream time, and takes what came out.
func (b *table) push(id int, at time.Duration) gsttest.Flow {
	b.t.Helper()
	f := frame.New(small, 1)
	f.Planes[0].Data[0] = byte(id)
	flow := b.Push(gsttest.Of(f, at))
	b.take()
	return flow
}

func (b *table) take() {
	b.t.Helper()
	var wishes []time.Duration
	for _, e := range b.Events() {
		b.all = append(b.all, e)
		if at, ok := strings.CutPrefix(e, "key-unit "); ok {
			ns, err := strconv.ParseInt(at, 10, 64)
			if err != nil {
				b.t.Fatal(err)
			}
			wishes = append(wishes, time.Duration(ns)-ahead)
		}
	}
	for b.Waiting() > 0 {
		p := b.Pull(small)
		at := p.PTS - ahead
		b.out = append(b.out, shown{int(p.Planes[0].Data[0]), at, at + p.Duration, slices.Contains(wishes, at)})
	}
}

// end ends the stream, and wants what came out in all.
func (b *table) end(want ...shown) {
	b.t.Helper()
	b.EOS()
	b.take()
	if !slices.Equal(b.out, want) {
		b.t.Errorf("out came %v\nwant %v", b.out, want)
	}
	if n := len(slices.DeleteFunc(slices.Clone(b.all), func(e string) bool { return e != "eos" })); n != 1 {
		b.t.Errorf("the stream ended %d times: %v", n, b.all)
	}
}

// stats wants the figures of the element.
func (b *table) stats(want Stats) {
	b.t.Helper()
	if got := Read(b.Pointer()); got != want {
		b.t.Errorf("stats %+v, want %+v", got, want)
	}
}

const ms = time.Millisecond

// pal is a film of a second in segments of 10 pictures.
func pal(first int, end time.Duration) Plan {
	return Plan{Ticks: 10000, TimeScale: 25000, RateNum: 25, RateDen: 1, First: first, End: end}
}

// TestSteady sends what needs no change, with each way of a source's to be
// inexact: as it is, rounded to milliseconds and worse, and moved by an origin.
func TestSteady(t *testing.T) {
	ntsc := Plan{Ticks: 10010, TimeScale: 30000, RateNum: 30000, RateDen: 1001, End: 1001 * ms}
	for name, off := range map[string]func(i int) time.Duration{
		"exact":           func(int) time.Duration { return 0 },
		"8 ms early":      func(int) time.Duration { return -8 * ms },
		"8 ms late":       func(int) time.Duration { return 8 * ms },
		"here and there":  func(i int) time.Duration { return time.Duration(i*7%17-8) * ms },
		"off by a little": func(i int) time.Duration { return time.Duration(i%3 - 1) },
	} {
		for _, origin := range []time.Duration{0, 10 * time.Hour, 1234567891} {
			p := ntsc
			p.Origin = origin
			b := lay(t, p)
			var want []shown
			at := func(i int) time.Duration { return (time.Duration(i)*1001*time.Second + 15000) / 30000 }
			for i := range 30 {
				b.push(i, max(0, origin+at(i)+off(i)))
				want = append(want, shown{i, at(i), at(i + 1), i > 0 && i%10 == 0})
			}
			b.end(want...)
			b.stats(Stats{})
			if t.Failed() {
				t.Fatalf("%s, from %s on", name, origin)
			}
		}
	}
}

// TestGrid sends what a playlist could not promise as it is.
func TestGrid(t *testing.T) {
	varying := Plan{Ticks: 90000, TimeScale: 90000, End: 4 * time.Second}
	for _, c := range []struct {
		name  string
		plan  Plan
		in    []time.Duration // times of pictures 0, 1, …
		want  []shown
		stats Stats
	}{
		{
			"a gap within a segment", pal(0, 400*ms),
			[]time.Duration{0, 40 * ms, 200 * ms},
			[]shown{{0, 0, 40 * ms, false}, {1, 40 * ms, 200 * ms, false}, {2, 200 * ms, 400 * ms, false}},
			Stats{},
		},
		{
			"a gap over boundaries", pal(0, 1600*ms),
			[]time.Duration{0, 40 * ms, 1320 * ms},
			[]shown{
				{0, 0, 40 * ms, false},
				{1, 40 * ms, 400 * ms, false},
				{1, 400 * ms, 800 * ms, true},
				{1, 800 * ms, 1200 * ms, true},
				{1, 1200 * ms, 1320 * ms, true},
				{2, 1320 * ms, 1600 * ms, false},
			},
			Stats{Repeated: 3},
		},
		{
			"nothing after the first", pal(0, 1000*ms),
			[]time.Duration{0},
			[]shown{{0, 0, 400 * ms, false}, {0, 400 * ms, 800 * ms, true}, {0, 800 * ms, 1000 * ms, true}},
			Stats{Repeated: 2},
		},
		{
			"twice for one time", pal(0, 120*ms),
			[]time.Duration{0, 2 * ms, 40 * ms, 41 * ms, 80 * ms},
			[]shown{{0, 0, 40 * ms, false}, {2, 40 * ms, 80 * ms, false}, {4, 80 * ms, 120 * ms, false}},
			Stats{Dropped: 2},
		},
		{
			"back in time", pal(0, 120*ms),
			[]time.Duration{0, 80 * ms, 40 * ms},
			[]shown{{0, 0, 80 * ms, false}, {1, 80 * ms, 120 * ms, false}},
			Stats{Dropped: 1},
		},
		{
			"longer than the film", pal(0, 80*ms),
			[]time.Duration{0, 40 * ms, 80 * ms, 120 * ms},
			[]shown{{0, 0, 40 * ms, false}, {1, 40 * ms, 80 * ms, false}},
			Stats{Dropped: 2},
		},
		{"all of it after the end", pal(0, 80*ms), []time.Duration{200 * ms, 240 * ms}, []shown{{0, 0, 80 * ms, false}}, Stats{Repeated: 1, Dropped: 2}},
		{
			"late beginning", pal(0, 120*ms),
			[]time.Duration{60 * ms, 80 * ms},
			[]shown{{0, 0, 80 * ms, false}, {1, 80 * ms, 120 * ms, false}},
			Stats{},
		},
		{
			"beginning after the first boundary", pal(0, 500*ms),
			[]time.Duration{440 * ms, 480 * ms},
			[]shown{{0, 0, 400 * ms, false}, {0, 400 * ms, 480 * ms, true}, {1, 480 * ms, 500 * ms, false}},
			Stats{Repeated: 1},
		},
		{
			"from a segment on", pal(1, 480*ms),
			[]time.Duration{320 * ms, 360 * ms, 400 * ms, 440 * ms},
			[]shown{{2, 400 * ms, 440 * ms, false}, {3, 440 * ms, 480 * ms, false}},
			Stats{},
		},
		{
			"from within a gap", pal(2, 1000*ms),
			[]time.Duration{320 * ms, 360 * ms, 920 * ms},
			[]shown{{1, 800 * ms, 920 * ms, false}, {2, 920 * ms, 1000 * ms, false}},
			Stats{Repeated: 1},
		},
		{
			"from within a gap to the end", pal(2, 1300*ms),
			[]time.Duration{320 * ms, 360 * ms},
			[]shown{{1, 800 * ms, 1200 * ms, false}, {1, 1200 * ms, 1300 * ms, true}},
			Stats{Repeated: 2},
		},
		{"from after the last picture", pal(1, 800*ms), []time.Duration{0}, []shown{{0, 400 * ms, 800 * ms, false}}, Stats{Repeated: 1}},
		{
			"nothing before the segment", pal(1, 500*ms),
			[]time.Duration{440 * ms},
			[]shown{{0, 400 * ms, 500 * ms, false}},
			Stats{},
		},
		{
			"varying", varying,
			[]time.Duration{0, 900 * ms, 1700 * ms, 2003 * ms, 2950 * ms, 3400 * ms},
			[]shown{
				{0, 0, 900 * ms, false},
				{1, 900 * ms, 1000 * ms, false},
				{1, 1000 * ms, 1700 * ms, true},
				{2, 1700 * ms, 2000 * ms, false},
				{3, 2000 * ms, 2950 * ms, true},
				{4, 2950 * ms, 3000 * ms, false},
				{4, 3000 * ms, 3400 * ms, true},
				{5, 3400 * ms, 4 * time.Second, false},
			},
			Stats{Repeated: 2},
		},
		{
			"a picture in seven seconds",
			Plan{Ticks: 90000, TimeScale: 90000, End: 3 * time.Second},
			[]time.Duration{0, 7 * time.Second},
			[]shown{{0, 0, time.Second, false}, {0, time.Second, 2 * time.Second, true}, {0, 2 * time.Second, 3 * time.Second, true}},
			Stats{Repeated: 2, Dropped: 1},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := lay(t, c.plan)
			for i, at := range c.in {
				b.push(i, at)
			}
			b.end(c.want...)
			b.stats(c.stats)
		})
	}
}

// TestNeverStarved proves that no picture at all is an error and not a film.
func TestNeverStarved(t *testing.T) {
	b := lay(t, pal(0, time.Second))
	b.EOS()
	m := b.Message(gsttest.MessageError, time.Second)
	if m == nil || m.Text != "there is no picture to show" || b.Waiting() != 0 {
		t.Errorf("%+v, %d pictures", m, b.Waiting())
	}
}

// TestNoTimes sends pictures without a time behind ones that have it.
func TestNoTimes(t *testing.T) {
	b := lay(t, Plan{Ticks: 90000, TimeScale: 90000, End: 100 * ms})
	b.push(0, 0)
	b.push(1, gsttest.None)
	b.push(2, 50*ms)
	b.end(shown{0, 0, 1, false}, shown{1, 1, 50 * ms, false}, shown{2, 50 * ms, 100 * ms, false})
}

// TestKeyFrameOnWish proves that a wish is for the next picture, and for one.
func TestKeyFrameOnWish(t *testing.T) {
	b := lay(t, pal(0, 200*ms))
	b.push(0, 0)
	b.push(1, 40*ms)
	b.push(2, 80*ms)
	KeyFrame(b.Pointer())
	b.push(3, 120*ms) // lets 2 out
	b.push(4, 160*ms)
	b.end(shown{0, 0, 40 * ms, false}, shown{1, 40 * ms, 80 * ms, false}, shown{2, 80 * ms, 120 * ms, true},
		shown{3, 120 * ms, 160 * ms, false}, shown{4, 160 * ms, 200 * ms, false})
}

// TestEndIsTold proves that what pushes hears of the end, so that a source stops.
func TestEndIsTold(t *testing.T) {
	b := lay(t, pal(0, 80*ms))
	for i, want := range []gsttest.Flow{gsttest.FlowOK, gsttest.FlowOK, gsttest.FlowEOS, gsttest.FlowEOS} {
		if got := b.push(i, time.Duration(i)*40*ms); got != want {
			t.Errorf("picture %d: flow %d, want %d", i, got, want)
		}
	}
	b.end(shown{0, 0, 40 * ms, false}, shown{1, 40 * ms, 80 * ms, false})
}

// TestAgain plays a plan twice with one element.
func TestAgain(t *testing.T) {
	b := lay(t, pal(0, 80*ms))
	b.push(0, 0)
	if !b.SetState(gsttest.Ready) || Set(b.Pointer(), pal(1, 480*ms)) != nil || !b.SetState(gsttest.Playing) || !b.Caps(caps) {
		t.Fatal("it does not start again")
	}
	b.take()
	b.out, b.all = nil, nil
	b.push(1, 400*ms)
	b.push(2, 440*ms)
	b.end(shown{1, 400 * ms, 440 * ms, false}, shown{2, 440 * ms, 480 * ms, false})
}

func TestAnotherElement(t *testing.T) {
	e, err := gsttest.Make("identity")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if err := Set(e.Pointer(), Plan{}); !errors.Is(err, ErrNotElement) {
		t.Error(err)
	}
	KeyFrame(e.Pointer()) // and nothing happens
	if Read(e.Pointer()) != (Stats{}) {
		t.Error("it has figures")
	}
}
