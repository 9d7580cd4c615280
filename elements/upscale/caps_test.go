package upscale

import (
	"errors"
	"strings"
	"testing"

	"github.com/upscaled-media/upscaled/elements/frame"
	"github.com/upscaled-media/upscaled/elements/upscale/gsttest"
)

// TestOutCaps follows caps from the sink to the source.
func TestOutCaps(t *testing.T) {
	for _, test := range []struct {
		name, in string
		want     []string // fields of what comes out
		not      string
	}{
		{"size", "format=I420,width=64,height=48,framerate=25/1", []string{"width=(int)128", "height=(int)96", "framerate=(fraction)25/1"}, ""},
		{"odd size", "format=NV12,width=33,height=21,framerate=30000/1001", []string{"width=(int)66", "height=(int)42", "framerate=(fraction)30000/1001"}, ""},
		{"pixel aspect ratio", "format=I420,width=72,height=58,framerate=25/1,pixel-aspect-ratio=16/11", []string{"pixel-aspect-ratio=(fraction)16/11"}, ""},
		{"variable rate", "format=I420,width=64,height=48,framerate=0/1,max-framerate=50/1", []string{"framerate=(fraction)0/1", "max-framerate=(fraction)50/1"}, ""},
		{"progressive named", "format=I420,width=64,height=48,framerate=25/1,interlace-mode=progressive", []string{"interlace-mode=(string)progressive"}, ""},
		// What GStreamer takes unnamed colours of 480 rows for, at the 960 where it would take them for bt709.
		{"SD colours", "format=I420,width=854,height=480,framerate=25/1", []string{"colorimetry=(string)bt601", "chroma-site=(string)jpeg"}, ""},
		{"HD colours", "format=I420,width=1280,height=720,framerate=25/1", []string{"colorimetry=(string)bt709", "chroma-site=(string)mpeg2"}, ""},
		{"named colours", "format=I420,width=64,height=48,framerate=25/1,colorimetry=1:4:0:0,chroma-site=cosited", []string{"colorimetry=(string)1:4:0:0", "chroma-site=(string)cosited"}, ""},
		{"HDR", "format=P010_10LE,width=64,height=48,framerate=25/1,colorimetry=bt2100-pq", []string{"format=(string)P010_10LE", "colorimetry=(string)bt2100-pq"}, ""},
		{"RGB", "format=RGB,width=64,height=48,framerate=25/1", []string{"colorimetry=(string)sRGB"}, "chroma-site"},
		{"what it does not know", "format=I420,width=64,height=48,framerate=25/1,mastering-display-info=(string)1:2", []string{"mastering-display-info=(string)1:2"}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := gsttest.NewRig(t, "upscale", "model", "nearest-x2", "provider", "cpu")
			if !r.Caps("video/x-raw," + test.in) {
				t.Fatalf("refused: %+v", r.Message(gsttest.MessageError, 0))
			}
			got := r.OutCaps()
			for _, field := range test.want {
				if !strings.Contains(got, field) {
					t.Errorf("%s lacks %s", got, field)
				}
			}
			if test.not != "" && strings.Contains(got, test.not) {
				t.Errorf("%s has %s", got, test.not)
			}
		})
	}
}

// TestQueriesBothWays asks each pad what it can have while the other is limited.
func TestQueriesBothWays(t *testing.T) {
	for _, test := range []struct {
		name, model, behind string
		want                []string
		not                 []string
	}{
		{"anything", "nearest-x2", "ANY", []string{"{ I420, NV12, I420_10LE, P010_10LE, RGB }", "width=(int)[ 1, 1073741823 ]"}, nil},
		{"a size", "nearest-x2", "video/x-raw,width=1280,height=720", []string{"width=(int)640", "height=(int)360"}, nil},
		{"a size by three", "nearest-x3", "video/x-raw,width=1281,height=[1,1080]", []string{"width=(int)427", "height=(int)[ 1, 360 ]"}, nil},
		{"sizes", "nearest-x2", "video/x-raw,width={640,641,1280},height=[99,201]", []string{"width=(int){ 320, 640 }", "height=(int)[ 50, 100 ]"}, []string{"641"}},
		{"ranges among sizes", "nearest-x2", "video/x-raw,width={[2,9],20},height=2", []string{"width=(int){ [ 1, 4 ], 10 }"}, nil},
		{"an odd size", "nearest-x2", "video/x-raw,width=641,height=360", []string{"EMPTY"}, nil},
		{"interlaced", "nearest-x2", "video/x-raw,interlace-mode=interleaved", []string{"EMPTY"}, nil},
		{"progressive or not", "nearest-x2", "video/x-raw,interlace-mode={interleaved,progressive}", []string{"interlace-mode=(string)progressive"}, nil},
		{"another format", "nearest-x2", "video/x-raw,format=BGRA", []string{"EMPTY"}, nil},
		{"memory of a GPU", "nearest-x2", "video/x-raw(memory:GLMemory),format=I420", []string{"EMPTY"}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := gsttest.NewRig(t, "upscale", "model", test.model, "provider", "cpu")
			r.LimitOut(test.behind)
			got := r.Takes("")
			for _, field := range test.want {
				if !strings.Contains(got, field) {
					t.Errorf("%s lacks %s", got, field)
				}
			}
			for _, field := range test.not {
				if strings.Contains(got, field) {
					t.Errorf("%s has %s", got, field)
				}
			}
		})
	}
	r := gsttest.NewRig(t, "upscale", "model", "nearest-x2", "provider", "cpu")
	if got := r.Takes("video/x-raw,format=NV12,width=[1,100],height=48"); !strings.Contains(got, "format=(string)NV12, width=(int)[ 1, 100 ], height=(int)48") {
		t.Errorf("with a filter it takes %s", got)
	}
	if got := r.Gives("video/x-raw,width=[101,200]"); !strings.Contains(got, "width=(int)[ 102, 200 ]") {
		t.Errorf("with a filter it gives %s", got)
	}
}

// TestUnnamedColoursAreNoWish leaves the colours to who is before the element:
// a converter there keeps those that it has.
func TestUnnamedColoursAreNoWish(t *testing.T) {
	r := gsttest.NewRig(t, "upscale", "model", "nearest-x2", "provider", "cpu")
	got := r.Takes("video/x-raw,format=I420,width=320,height=240,framerate=25/1")
	if strings.Contains(got, "colorimetry") || strings.Contains(got, "chroma-site") {
		t.Errorf("it takes %s", got)
	}
	for _, colours := range []string{"bt709", "bt601", "bt2020", "1:4:0:0"} {
		p := gsttest.Launch(t, "videotestsrc num-buffers=1 ! video/x-raw,format=I420,width=320,height=240,colorimetry="+colours+
			" ! videoconvert ! video/x-raw,format=NV12 ! upscale model=nearest-x2 provider=cpu ! appsink name=sink")
		if reached, m := p.SetState(gsttest.Paused), p.Message(gsttest.MessageError, 0); !reached || m != nil {
			t.Fatalf("of %s: the bus says %+v", colours, m)
		}
		p.By("sink", func(sink *gsttest.Element) {
			if caps := sink.PadCaps("sink"); !strings.Contains(caps, "colorimetry=(string)"+colours) {
				t.Errorf("of %s came %s", colours, caps)
			}
		})
	}
}

// TestRefusals sends what cannot be upscaled; the bus says why.
func TestRefusals(t *testing.T) {
	for _, test := range []struct {
		name, model, in string
		want            error
		says            string
	}{
		{"interlaced", "nearest-x2", "format=I420,width=64,height=48,framerate=25/1,interlace-mode=interleaved", ErrCaps, "deinterlace"},
		{"mixed", "nearest-x2", "format=I420,width=64,height=48,framerate=25/1,interlace-mode=mixed", ErrCaps, "deinterlace"},
		{"too large", "nearest-x4", "format=I420,width=8000,height=48,framerate=25/1", frame.ErrSize, "32000x192"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := gsttest.NewRig(t, "upscale", "model", test.model, "provider", "cpu")
			r.Caps("video/x-raw," + test.in)
			if flow := r.Push(gsttest.Of(noise(small, 1), 0)); flow != gsttest.FlowNotNegotiated {
				t.Errorf("a frame was answered with %d", flow)
			}
			m := r.Message(gsttest.MessageError, 0)
			if m == nil || !strings.Contains(m.Text, test.says) {
				t.Errorf("the bus says %+v", m)
			}
			if e := half(t, r.Element); !errors.Is(e.Err(), test.want) {
				t.Errorf("the error is %v", e.Err())
			}
		})
	}
}

// half returns the Go half of an element.
func half(t *testing.T, e *gsttest.Element) *Element {
	t.Helper()
	h, err := Of(e.Pointer())
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestOfAnotherElement(t *testing.T) {
	e, err := gsttest.Make("identity")
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, p := range []*gsttest.Element{e} {
		if _, err := Of(p.Pointer()); !errors.Is(err, ErrNotElement) {
			t.Errorf("got %v", err)
		}
	}
	if _, err := Of(nil); !errors.Is(err, ErrNotElement) {
		t.Errorf("got %v", err)
	}
}

// TestSizeChangesMidway sends caps of other sizes and formats between frames.
func TestSizeChangesMidway(t *testing.T) {
	first := frame.Layout{Format: frame.I420, Width: 64, Height: 48}
	r := rig(t, "nearest-x2", first)
	for n, l := range []frame.Layout{
		first,
		{Format: frame.I420, Width: 33, Height: 21},
		{Format: frame.P010LE, Width: 33, Height: 21},
		first,
		{Format: frame.I420, Width: 64, Height: 48, Matrix: frame.BT709},
	} {
		caps := capsOf(l)
		if l.Matrix == frame.BT709 {
			caps += ",colorimetry=bt709"
		}
		if !r.Caps(caps) {
			t.Fatalf("%s: refused", caps)
		}
		in := noise(l, 1)
		out := r.Through(gsttest.Of(in, at(n)), l.Scaled(2))
		if diff := compare(out.Frame, 1, 0, func(_, x, y int) float64 { return float64(get(in, 0, x/2, y/2)) }); diff != "" {
			t.Errorf("%s: %s", caps, diff)
		}
	}
	if n := half(t, r.Element).Stats().Upscaled; n != 5 {
		t.Errorf("%d frames are counted", n)
	}
}
