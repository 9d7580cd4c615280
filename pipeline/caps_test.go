package pipeline

import (
	"strings"
	"testing"
)

func TestCapsField(t *testing.T) {
	const caps = `video/x-raw(memory:SystemMemory), format=(string)I420_10LE, width=(int)640, xwidth=(int)1, height=(int)360, ` +
		`framerate=(fraction)24000/1001, title=(string)"a\,\ \"b\"\ \303\251", empty=(string)"", mastering-display-info=(string)34000:16000:1, last=(int)7;`
	for field, want := range map[string]string{
		"format": "I420_10LE", "width": "640", "height": "360", "framerate": "24000/1001", "title": `a, "b" é`,
		"empty": "", "mastering-display-info": "34000:16000:1", "last": "7", "idth": "", "none": "", "": "",
	} {
		if got := capsField(caps, field); got != want {
			t.Errorf("%q is %q instead of %q", field, got, want)
		}
	}
	if got := capsName(caps); got != "video/x-raw" {
		t.Errorf("name %q", got)
	}
	if got := capsFraction(caps, "framerate"); got != (Fraction{24000, 1001}) {
		t.Errorf("framerate %v", got)
	}
	if got := capsFraction("video/x-raw, framerate=(fraction)25", "framerate"); got != (Fraction{0, 1}) {
		t.Errorf("half a fraction is %v", got)
	}
}

func TestHDRTransfer(t *testing.T) {
	for colorimetry, want := range map[string]string{
		"bt2100-pq": "PQ", "bt2100-hlg": "HLG", "2:6:14:7": "PQ", "2:6:15:7": "HLG", "bt709": "", "2:6:13:7": "", "": "", ":::": "",
	} {
		if got := hdrTransfer(colorimetry); got != want {
			t.Errorf("%s is %q instead of %q", colorimetry, got, want)
		}
	}
}

// TestCarryTables holds what is said of the containers against the muxers that
// are installed.
func TestCarryTables(t *testing.T) {
	for key, c := range audioCarry {
		caps := strings.Replace(key, "audio/mpeg ", "audio/mpeg, mpegversion=(int)", 1)
		switch key {
		case "audio/mpeg 1":
			caps += ", layer=(int)3"
		case "audio/mpeg 2", "audio/mpeg 4":
			caps += ", stream-format=(string)raw"
		}
		caps += ", channels=(int)2, rate=(int)48000"
		if got := takes("matroskamux", caps); got != c.mkv {
			t.Errorf("matroskamux takes %s: %t", caps, got)
		}
		if got := takes("mp4mux", caps); got != c.mp4 {
			t.Errorf("mp4mux takes %s: %t", caps, got)
		}
		if got := takes("mpegtsmux", caps); got != c.ts {
			t.Errorf("mpegtsmux takes %s: %t", caps, got)
		}
		if c.parser != "" && !Has(c.parser) {
			t.Errorf("there is no %s", c.parser)
		}
	}
	for _, caps := range []string{"text/x-raw, format=(string)utf8", "application/x-ass", "application/x-ssa", "subpicture/x-dvd"} {
		if !takes("matroskamux", caps) {
			t.Errorf("matroskamux does not take %s", caps)
		}
	}
	if !takes("mp4mux", "text/x-raw, format=(string)utf8") {
		t.Error("mp4mux takes no text")
	}
}

// TestEncoders proves that every setting of every encoder here is taken.
func TestEncoders(t *testing.T) {
	for codec, c := range codecTable {
		for _, factory := range c.encoder {
			if !Has(factory) {
				continue
			}
			for _, speed := range []Speed{Fast, Balanced, Best} {
				s := spec()
				s.Speed = speed
				n := encoderNode(factory, s, c.usual, 25)
				b, err := build(Graph{Mux: []Node{{Factory: "fakesink", Name: "sink"}}}, false)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := b.element(n); err != nil {
					t.Errorf("%s by %s, %s: %v", codec, factory, speed, err)
				}
				if err := b.close(); err != nil {
					t.Error(err)
				}
			}
		}
	}
}

func FuzzCaps(f *testing.F) {
	f.Add("video/x-raw, width=(int)1", "width")
	f.Add(`a, b=(string)"\"`, "b")
	f.Add("a,b=(", "b")
	f.Add(", =", "")
	f.Fuzz(func(t *testing.T, caps, field string) {
		value := capsField(caps, field)
		if strings.Contains(value, ",") && !strings.Contains(caps, `"`) {
			t.Errorf("%q holds the next field", value)
		}
		_, _, _, _ = capsName(caps), capsInt(caps, field), capsFraction(caps, field), hdrTransfer(caps)
	})
}
