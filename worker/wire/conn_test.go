package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/upscaled-media/upscaled/filters"
)

var update = flag.Bool("update", false, "write the golden files anew")

// samples has a message of each kind with every field set to something else
// than its zero, so that a field that is renamed changes the golden bytes.
func samples() []Message {
	strength, burn, model := 0.25, 1, "swift-s-x2"
	neutral := filters.Neutral()
	upscale := Upscale{Model: model, Provider: "cpu", Device: 1, Strength: 0.5, Threads: 2, Filters: neutral, Cube: []byte("LUT_3D_SIZE 2")}
	video := Video{Height: 720, Quality: 23, MaxRate: 4000}
	failure := &Error{Code: "not_media", Sentence: "It is no film.", Detail: "typefind"}
	return []Message{
		Hello{Version: 2, GStreamer: "1.22.0", ONNXRuntime: "1.27.0"},
		Open{
			ID: 1, Name: "film.mkv", Size: 123456789012, Upscale: upscale, Video: video, Segment: time.Second, Burn: -1, Sound: AudioOpus,
			Costs: &Costs{Model: model, Provider: "cuda", Decode: 1, Upscale: 2, Encode: 3, GPU: 4},
		},
		Play{ID: 2, Run: 3, Stream: Stream{Kind: StreamAudio, Index: 1}, Segment: 4, Limit: 28, Upscale: &upscale, Video: &video, Burn: &burn},
		Limit{Run: 3, Segment: 29},
		Halt{Run: 3},
		Set{ID: 4, Model: &model, Strength: &strength, Filters: &neutral, Cube: []byte("LUT_3D_SIZE 2")},
		KeyFrame{ID: 5, Run: 3},
		Measure{ID: 6, Model: model, Provider: "cuda", Device: 1},
		Stop{},
		Load{ID: 7, Model: model, SHA256: "00ff"},
		Reply{ID: 1, Opened: &Opened{
			Container: "Matroska", Duration: 90 * time.Second, Segment: Segment{Ticks: 24024, Frames: 24},
			Video: VideoInfo{
				TimeScale: 24000, Rate: [2]int{24000, 1001}, SourceSize: [2]int{640, 360}, Size: [2]int{1280, 720}, Aspect: [2]int{1, 1},
				Scale: 2, MaxRate: 4000, Codec: "H.264", Decoder: []string{"avdec_h264"},
			},
			Audio: []AudioInfo{{
				Language: "en", Title: "Stereo", Codec: "AAC", Passed: true, Delivered: AudioAAC, Rate: 48000, Channels: 2, FrameSamples: 1024,
				First: 7, Frames: 4219, BitRate: 128000, Default: true,
			}},
			Text: []TextInfo{{Language: "de", Title: "Forced", Codec: "PGS", Bitmap: true, Forced: true, Default: true}},
			Plan: []string{"Sound is passed."}, Cost: Cost{CoreMS: 700, GPUMS: 1, Decode: 100, Upscale: 400, Filters: 50, Encode: 150},
		}},
		Reply{ID: 6, Costs: &Costs{Model: model, Provider: "cuda", Decode: 1, Upscale: 2, Encode: 3, GPU: 4}},
		Reply{ID: 2, Error: failure},
		Prepare{
			ID: 8, Name: "film.mkv", Size: -1, Upscale: upscale, Costs: &Costs{Model: model, Provider: "cuda", Decode: 1, Upscale: 2, Encode: 3, GPU: 4},
			Output: Output{
				Container: "mkv", VideoCodec: "hevc", Height: 1080, Quality: 20, Speed: "fast", Audio: AudioOpus, Track: -1,
				Start: time.Second, Duration: time.Minute, Stream: true,
			},
		},
		Reply{ID: 8, Prepared: &Prepared{
			Container: "Matroska", Duration: 90 * time.Second, Encoding: "H.264, quality 21", Plan: []string{"Sound is passed."},
			Video: VideoInfo{
				TimeScale: 24000, Rate: [2]int{24000, 1001}, SourceSize: [2]int{640, 360}, Size: [2]int{1280, 720}, Aspect: [2]int{1, 1},
				Scale: 2, MaxRate: 4000, Codec: "H.264", Decoder: []string{"avdec_h264"},
			},
			Cost: Cost{CoreMS: 700, GPUMS: 1, Decode: 100, Upscale: 400, Filters: 50, Encode: 150},
		}},
		Transcode{ID: 9, Run: 1},
		Written{Run: 1, Position: 3 * time.Second, Decoded: 75, Upscaled: 74, Plain: 1, Encoded: 73},
		Relay{
			ID: 10, Name: "camera", Upscale: upscale, Video: video, Audio: AudioOpus, KeyFrames: 2 * time.Second,
			Costs: &Costs{Model: model, Provider: "cuda", Decode: 1, Upscale: 2, Encode: 3, GPU: 4},
		},
		Init{Run: 3, Codec: "avc1.64001f", CodecData: []byte{1, 100, 0, 31}, Width: 1280, Height: 720, Aspect: [2]int{1, 1}, Colour: "bt709"},
		Packet{Run: 3, Key: true, PTS: 24024, DTS: -1, Duration: 1001, Data: []byte{0, 0, 0, 1, 9}},
		Packet{Run: math.MaxUint32, PTS: math.MinInt64, DTS: math.MaxInt64, Duration: 1 << 40, Data: []byte{}},
		Cue{Run: 5, Start: time.Second, End: 2 * time.Second, Text: "<i>Yes</i> & \"no\"\n–"},
		Progress{Run: 5, Until: 3 * time.Second},
		Ended{Run: 3, Halted: true, Error: failure},
		Stats{
			CPU: time.Minute, RSS: 1 << 27, Threads: 20, Runs: []RunStats{{Run: 3, Waiting: true, Until: 12.5}}, Upscaled: 1, Plain: 2,
			Dropped: 3, Repeated: 4, Encoded: 5, Median: 6.5, P95: 7.5, Model: model, Provider: "cpu",
		},
		Warning{Code: "audio_lost", Sentence: "A track is lost."},
	}
}

// TestGolden holds the bytes of the format: a change of any of them is another
// version.
func TestGolden(t *testing.T) {
	var got bytes.Buffer
	seen := map[Kind]bool{}
	for _, m := range samples() {
		var frame bytes.Buffer
		if err := NewConn(&frame).Write(m); err != nil {
			t.Fatal(err)
		}
		b := frame.Bytes()
		fmt.Fprintf(&got, "%s\n  % x\n", m.Kind(), b[:headBytes])
		if m.Kind() == KindPacket {
			fmt.Fprintf(&got, "  % x\n", b[headBytes:])
		} else {
			fmt.Fprintf(&got, "  %s\n", b[headBytes:])
		}
		seen[m.Kind()] = true
	}
	for k := range kinds {
		if !seen[k] {
			t.Errorf("there is no sample of %s", k)
		}
	}
	path := filepath.Join("testdata", "frames.golden")
	if *update {
		if err := os.WriteFile(path, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the bytes of the format changed:\n%s", got.String())
	}
}

// TestSamplesAreFull keeps samples honest: a field at its zero value would not
// show in the golden bytes that it is there.
func TestSamplesAreFull(t *testing.T) {
	zero := map[string]bool{}
	for _, m := range samples() {
		v := reflect.ValueOf(m)
		for i := range v.NumField() {
			name := v.Type().Name() + "." + v.Type().Field(i).Name
			if was, seen := zero[name]; !seen || was {
				zero[name] = v.Field(i).IsZero()
			}
		}
	}
	for name, is := range zero {
		if is {
			t.Errorf("%s is zero in every sample", name)
		}
	}
}

// TestRoundTrip reads what was written, in one piece and byte by byte.
func TestRoundTrip(t *testing.T) {
	var stream bytes.Buffer
	out := NewConn(&stream)
	for _, m := range samples() {
		if err := out.Write(m); err != nil {
			t.Fatal(err)
		}
	}
	whole := stream.Bytes()
	for name, r := range map[string]io.Reader{
		"whole": bytes.NewReader(whole), "bytes": iotest.OneByteReader(bytes.NewReader(whole)),
	} {
		in := NewConn(readOnly{r})
		for _, want := range samples() {
			got, err := in.Read()
			if err != nil || !reflect.DeepEqual(got, want) {
				t.Fatalf("%s: %+v, %v; want %+v", name, got, err, want)
			}
		}
		if _, err := in.Read(); !errors.Is(err, io.EOF) || errors.Is(err, ErrProtocol) {
			t.Errorf("%s: ends with %v", name, err)
		}
	}
}

// readOnly is a stream that nobody writes to.
type readOnly struct{ io.Reader }

func (readOnly) Write([]byte) (int, error) { return 0, errors.New("read only") }

func TestBrokenStreams(t *testing.T) {
	for _, m := range samples() {
		whole := frameOf(t, m)
		for n := 1; n < len(whole); n++ {
			_, err := NewConn(readOnly{bytes.NewReader(whole[:n])}).Read()
			if !errors.Is(err, ErrProtocol) || !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Fatalf("%s broken off at %d: %v", m.Kind(), n, err)
			}
		}
		fault := errors.New("fault")
		r := io.MultiReader(bytes.NewReader(whole[:len(whole)-1]), iotest.ErrReader(fault))
		if len(whole) > headBytes {
			if _, err := NewConn(readOnly{r}).Read(); !errors.Is(err, fault) || errors.Is(err, ErrProtocol) {
				t.Errorf("%s from a stream at fault: %v", m.Kind(), err)
			}
		}
	}
}

func frameOf(t testing.TB, m Message) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := NewConn(&b).Write(m); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// raw makes a frame of any kind and payload.
func raw(kind Kind, payload string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload)))
	return append(append(b, byte(kind), 0, 0, 0), payload...)
}

func TestHostileFrames(t *testing.T) {
	flags := frameOf(t, Packet{Run: 1, Data: []byte{1}})
	flags[headBytes+4] = 2
	for name, bad := range map[string][]byte{
		"too long":              {1, 0, 0, 1, byte(KindPacket), 0, 0, 0},
		"longest":               {0xff, 0xff, 0xff, 0xff, byte(KindPacket), 0, 0, 0},
		"fifth byte":            {0, 0, 0, 2, byte(KindStop), 1, 0, 0, '{', '}'},
		"last byte":             {0, 0, 0, 2, byte(KindStop), 0, 0, 1, '{', '}'},
		"kind 0":                raw(0, "{}"),
		"unknown kind":          raw(255, "{}"),
		"empty":                 raw(KindStop, ""),
		"no JSON":               raw(KindLimit, "run=1"),
		"unknown field":         raw(KindLimit, `{"run":1,"segment":2,"speed":3}`),
		"two values":            raw(KindLimit, `{"run":1}{"run":2}`),
		"out of range":          raw(KindLimit, `{"run":-1}`),
		"wrong type":            raw(KindLimit, `{"run":"1"}`),
		"packet without a head": raw(KindPacket, "short"),
		"packet's flags":        flags,
		"endless nesting":       raw(KindStats, strings.Repeat("[", 60<<10)),
		"long stats":            {0, 1, 0, 1, byte(KindStats), 0, 0, 0},
		"long reply":            {0, 32, 0, 1, byte(KindReply), 0, 0, 0},
		"much sound":            raw(KindReply, `{"opened":{"audio":[`+strings.Repeat("{},", MaxAudio)+`{}]}}`),
		"much text":             raw(KindReply, `{"opened":{"text":[`+strings.Repeat("{},", MaxText)+`{}]}}`),
		"many sentences":        raw(KindReply, `{"opened":{"plan":[`+strings.Repeat(`"",`, MaxPlan)+`""]}}`),
		"of a job":              raw(KindReply, `{"prepared":{"plan":[`+strings.Repeat(`"",`, MaxPlan)+`""]}}`),
	} {
		m, err := NewConn(readOnly{bytes.NewReader(bad)}).Read()
		if !errors.Is(err, ErrProtocol) {
			t.Errorf("%s: %+v, %v", name, m, err)
		}
	}
}

// TestHelloOfAnotherVersion: it must be understood to be refused by its number.
func TestHelloOfAnotherVersion(t *testing.T) {
	m, err := NewConn(readOnly{bytes.NewReader(raw(KindHello, `{"version":9,"features":["x"]}`))}).Read()
	if err != nil || m.(Hello).Version != 9 {
		t.Errorf("%+v, %v", m, err)
	}
}

func TestWriteRefuses(t *testing.T) {
	var out bytes.Buffer
	for name, m := range map[string]Message{
		"too large":    Packet{Data: make([]byte, MaxPayload-packetBytes+1)},
		"a long cue":   Cue{Text: strings.Repeat("a", 256<<10)},
		"large JSON":   Set{Cube: make([]byte, MaxPayload)},
		"no JSON":      Stats{Median: math.NaN()},
		"infinite P95": Stats{P95: math.Inf(1)},
	} {
		if err := NewConn(&out).Write(m); !errors.Is(err, ErrProtocol) || out.Len() > 0 {
			t.Errorf("%s: %v, and %d bytes are sent", name, err, out.Len())
		}
	}
	if err := NewConn(&out).Write(Packet{Data: make([]byte, MaxPayload-packetBytes)}); err != nil {
		t.Errorf("the largest packet: %v", err)
	}
	if m, err := NewConn(readOnly{&out}).Read(); err != nil || len(m.(Packet).Data) != MaxPayload-packetBytes {
		t.Errorf("the largest packet: %v", err)
	}
}

// TestHeadReservesLittle sends heads that announce MaxPayload, and little else.
func TestHeadReservesLittle(t *testing.T) {
	bad := append([]byte{1, 0, 0, 0, byte(KindPacket), 0, 0, 0}, make([]byte, 100)...)
	perRead := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		for b.Loop() {
			if _, err := NewConn(readOnly{bytes.NewReader(bad)}).Read(); !errors.Is(err, ErrProtocol) {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if perRead > 2*trusted {
		t.Errorf("%d bytes are reserved for a head and 100 bytes", perRead)
	}
}

// TestPacketIsNotCopied: a packet's data goes to the stream from where it lies.
func TestPacketIsNotCopied(t *testing.T) {
	data := make([]byte, 1<<20)
	perWrite := testing.Benchmark(func(b *testing.B) {
		b.Helper()
		c := NewConn(writeOnly{io.Discard})
		for b.Loop() {
			if err := c.Write(Packet{Data: data}); err != nil {
				b.Fatal(err)
			}
		}
	}).AllocedBytesPerOp()
	if perWrite > 4<<10 {
		t.Errorf("%d bytes are allocated to write a packet of %d", perWrite, len(data))
	}
}

type writeOnly struct{ io.Writer }

func (writeOnly) Read([]byte) (int, error) { return 0, io.EOF }

func FuzzRead(f *testing.F) {
	var all []byte
	for _, m := range samples() {
		f.Add(frameOf(f, m))
		all = append(all, frameOf(f, m)...)
	}
	f.Add(all)
	f.Add([]byte{1, 0, 0, 0, byte(KindPacket), 0, 0, 0, 1, 2, 3})
	f.Fuzz(func(t *testing.T, stream []byte) {
		c := NewConn(readOnly{bytes.NewReader(stream)})
		for {
			m, err := c.Read()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				if !errors.Is(err, ErrProtocol) {
					t.Fatalf("%v is not of the protocol", err)
				}
				return
			}
			same(t, m)
		}
	})
}

// same fails unless a message that was read reads the same when written.
func same(t *testing.T, m Message) {
	t.Helper()
	again, err := NewConn(readOnly{bytes.NewReader(frameOf(t, m))}).Read()
	if err != nil {
		t.Fatalf("%+v cannot be read again: %v", m, err)
	}
	// Compared as JSON: an empty list and none are the same there.
	a, errA := json.Marshal(m)
	b, errB := json.Marshal(again)
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Fatalf("%s becomes %s", a, b)
	}
}

func FuzzPacket(f *testing.F) {
	f.Add(uint32(1), true, int64(0), int64(-1), int64(1001), []byte{1, 2, 3})
	f.Add(uint32(0), false, int64(math.MinInt64), int64(math.MaxInt64), int64(0), []byte{})
	f.Fuzz(func(t *testing.T, run uint32, key bool, pts, dts, duration int64, data []byte) {
		want := Packet{Run: run, Key: key, PTS: pts, DTS: dts, Duration: duration, Data: data}
		m, err := NewConn(readOnly{bytes.NewReader(frameOf(t, want))}).Read()
		got, ok := m.(Packet)
		if err != nil || !ok || !bytes.Equal(got.Data, data) {
			t.Fatalf("%+v, %v; want %+v", m, err, want)
		}
		got.Data, want.Data = nil, nil
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v, want %+v", got, want)
		}
	})
}

// BenchmarkPacket sends packets of the size of a 1080p session through a pair of
// sockets.
func BenchmarkPacket(b *testing.B) {
	near, far, err := Pair()
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = near.Close() }()
	out, in := NewConn(far.Frames), NewConn(near.Frames)
	p := Packet{Data: make([]byte, 100<<10)}
	go func() {
		for {
			if out.Write(p) != nil {
				return
			}
		}
	}()
	b.SetBytes(int64(len(p.Data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := in.Read(); err != nil {
			b.Fatal(err)
		}
	}
	if err := far.Close(); err != nil {
		b.Fatal(err)
	}
}
