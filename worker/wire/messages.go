package wire

import (
	"time"

	"github.com/upscaled-media/upscaled/filters"
)

// Hello is the first frame each way.
type Hello struct {
	Version int `json:"version"`
	// Of a worker alone: what it runs on.
	GStreamer   string `json:"gstreamer,omitempty"`
	ONNXRuntime string `json:"onnxruntime,omitempty"`
}

// Open gives a worker its film. It may come once. The Reply's Opened is set.
type Open struct {
	ID      uint32  `json:"id"`
	Name    string  `json:"name"` // of the film in sentences; never a path
	Size    int64   `json:"size"` // bytes
	Upscale Upscale `json:"upscale"`
	Video   Video   `json:"video"`
	// Segment is the wished length of a segment; Opened tells the one that is
	// whole frames.
	Segment time.Duration `json:"segment"`
	// Costs of this machine as a worker measured them for this model, so that Opened
	// can tell a Cost; nil when nobody has.
	Costs *Costs `json:"costs,omitempty"`
	// Burn is the number among Opened.Text of the bitmap subtitles that are drawn
	// into the picture, -1 for none.
	Burn int `json:"burn"`
	// Sound is what sound is delivered as: AudioAAC or AudioOpus.
	Sound AudioMode `json:"sound"`
}

// Upscale says what the element does.
type Upscale struct {
	Model    string           `json:"model"` // id
	Provider string           `json:"provider"`
	Device   int              `json:"device"`
	Strength float64          `json:"strength"` // 0 to 1
	Threads  int              `json:"threads"`  // 0: all cores
	Filters  filters.Settings `json:"filters"`
	Cube     []byte           `json:"cube,omitempty"` // text of the file that Filters.LUT names
}

// Video says how the picture is encoded: H.264, 8 bits, no B frames.
type Video struct {
	Height  int `json:"height"`   // rows; 0: the source's times the model's scale
	Quality int `json:"quality"`  // of x264, 0 to 51, -1 for the usual
	MaxRate int `json:"max_rate"` // kbit/s, 0 for the usual of the size
}

// Play starts a run: the making of one stream from a segment on. A run of the
// same stream that is still going is halted first. The Reply is empty.
type Play struct {
	ID      uint32 `json:"id"`
	Run     uint32 `json:"run"` // chosen by the server, never used twice in a connection
	Stream  Stream `json:"stream"`
	Segment int    `json:"segment"` // the first that is made
	// Limit is the segment that must not be begun: the pipeline waits there.
	Limit int `json:"limit"`
	// Other settings than those of Open; a model of another scale and another
	// height take effect here.
	Upscale *Upscale `json:"upscale,omitempty"`
	Video   *Video   `json:"video,omitempty"`
	Burn    *int     `json:"burn,omitempty"`
}

// Stream names a stream of a film.
type Stream struct {
	Kind  StreamKind `json:"kind"`
	Index int        `json:"index"` // among Opened.Audio or Opened.Text
}

// StreamKind tells the kinds of streams apart.
type StreamKind string

// The kinds of streams.
const (
	StreamVideo StreamKind = "video"
	StreamAudio StreamKind = "audio"
	StreamText  StreamKind = "text"
)

// Limit moves a run's limit. One at or before what the run has reached pauses
// it at its next packet.
type Limit struct {
	Run     uint32 `json:"run"`
	Segment int    `json:"segment"`
}

// Halt ends a run. Its last frame is Ended.
type Halt struct {
	Run uint32 `json:"run"`
}

// Set changes what runs between two frames, without a gap. A model must have the
// scale of the one that runs. The Reply comes when it is in effect.
type Set struct {
	ID       uint32            `json:"id"`
	Model    *string           `json:"model,omitempty"`
	Strength *float64          `json:"strength,omitempty"`
	Filters  *filters.Settings `json:"filters,omitempty"`
	Cube     []byte            `json:"cube,omitempty"` // text of the file that Filters.LUT names
}

// KeyFrame makes the next picture of a video run a key frame.
type KeyFrame struct {
	ID  uint32 `json:"id"`
	Run uint32 `json:"run"`
}

// Measure has an idle worker measure the machine with a model, as a provider and its
// device run it. The Reply's Costs are set; where the provider cannot run the model,
// its Error has CodeProvider.
type Measure struct {
	ID       uint32 `json:"id"`
	Model    string `json:"model"`
	Provider string `json:"provider"`
	Device   int    `json:"device"`
}

// Load gives a worker the file of a model that is not its own, before anything names
// it. The Reply is empty.
type Load struct {
	ID     uint32 `json:"id"`
	Model  string `json:"model"`  // id
	SHA256 string `json:"sha256"` // of the file, 64 lower-case hexadecimal digits
}

// Prepare gives a worker a film to make into another one, in place of Open: it comes
// once. The Reply's Prepared is set; nothing is written before Transcode.
type Prepare struct {
	ID      uint32  `json:"id"`
	Name    string  `json:"name"` // of the film in sentences; never a path
	Size    int64   `json:"size"` // bytes, -1: not known, as of most streams
	Upscale Upscale `json:"upscale"`
	Output  Output  `json:"output"`
	Costs   *Costs  `json:"costs,omitempty"` // as in Open
}

// Output says what a film is made into.
type Output struct {
	Container  string        `json:"container"`   // mkv, mp4 or ts
	VideoCodec string        `json:"video_codec"` // h264, hevc, av1 or vp9; empty: the usual
	Height     int           `json:"height"`      // rows; 0: the source's times the model's scale
	Quality    int           `json:"quality"`     // in the codec's own scale, -1 for the usual
	Speed      string        `json:"speed"`       // fast, balanced or best; empty: balanced
	Audio      AudioMode     `json:"audio"`
	Track      int           `json:"track"`    // number of the one track of sound that is kept, -1: all
	Start      time.Duration `json:"start"`    // into the film
	Duration   time.Duration `json:"duration"` // 0: all
	// Stream is set where the output cannot be gone back in, as in a pipe: what
	// belongs at its beginning is written before all is known.
	Stream bool `json:"stream"`
}

// AudioMode says how sound is carried over.
type AudioMode string

// The modes.
const (
	AudioKeep AudioMode = ""     // copied where the container takes it, encoded otherwise
	AudioCopy AudioMode = "copy" // copied, or else the job is refused
	AudioAAC  AudioMode = "aac"
	AudioOpus AudioMode = "opus"
	AudioNone AudioMode = "none"
)

// Prepared is what a worker found in a film and will make of it.
type Prepared struct {
	Container string        `json:"container"` // of the film
	Duration  time.Duration `json:"duration"`  // as the film says; 0 where it does not
	Video     VideoInfo     `json:"video"`     // Size is that of the output
	Encoding  string        `json:"encoding"`  // of the picture, for people
	Plan      []string      `json:"plan"`      // what is kept, changed and lost, one sentence each
	// Cost is that of one second of the film with the encoder of sessions, by which the
	// machine is measured: H.264 at its fastest. Other codecs and speeds take more, some
	// of them many times as much, so that it is the least that the transcode takes at the
	// pace of the film; it is not what a picture takes.
	Cost Cost `json:"cost"`
}

// Transcode begins to make what was prepared. Output is the descriptor that was sent
// for it: a pipe where Output.Stream is set, else an empty file that can be read and
// written. The worker sets it to not block, for all who share it. The Reply is empty;
// Written comes about twice a second, Ended at the end. Halt ends it early.
type Transcode struct {
	ID  uint32 `json:"id"`
	Run uint32 `json:"run"`
}

// Written is how far a transcode is.
type Written struct {
	Run      uint32        `json:"run"`
	Position time.Duration `json:"position"` // of the film that is encoded, from Output.Start on
	Decoded  int64         `json:"decoded"`  // frames
	Upscaled int64         `json:"upscaled"`
	Plain    int64         `json:"plain"` // frames that no model made
	Encoded  int64         `json:"encoded"`
}

// Relay gives a worker a live stream, in place of Open: it comes once, behind the
// descriptor of a SourceStream that holds Matroska or MPEG-TS. It is made as it
// comes: the newest pictures are kept where the machine is too slow for all of them.
// The Reply's Opened is set, without lengths, for there are none; packets follow at
// once: those of the picture as run RelayVideo, those of the sound as RelayAudio, at
// the times that they have in the stream. Set, KeyFrame and Halt of RelayVideo work as
// with runs of a film; the end of the stream is Ended of RelayVideo.
type Relay struct {
	ID      uint32    `json:"id"`
	Name    string    `json:"name"`
	Upscale Upscale   `json:"upscale"`
	Video   Video     `json:"video"`
	Audio   AudioMode `json:"audio"` // AudioAAC, AudioOpus or AudioNone
	// KeyFrames is the longest time between two key frames.
	KeyFrames time.Duration `json:"key_frames"`
	Costs     *Costs        `json:"costs,omitempty"` // as in Open
}

// The runs of a Relay.
const (
	RelayVideo uint32 = 1
	RelayAudio uint32 = 2
)

// RelayTimeScale is what times of a Relay's picture are counted in a second.
const RelayTimeScale = 90000

// Stop ends the worker in good order.
type Stop struct{}

// Reply answers a message with an ID. With Error set all else is absent.
type Reply struct {
	ID       uint32    `json:"id"`
	Error    *Error    `json:"error,omitempty"`
	Opened   *Opened   `json:"opened,omitempty"`
	Costs    *Costs    `json:"costs,omitempty"`
	Prepared *Prepared `json:"prepared,omitempty"`
}

// Error is a failure with a stable code and a sentence for the user.
type Error struct {
	Code     string `json:"code"`
	Sentence string `json:"sentence"`
	Detail   string `json:"detail,omitempty"` // for the log
}

// CodeProvider is the code of an Error that says that the provider which was asked
// for cannot run the model on this machine.
const CodeProvider = "provider_unavailable"

// Error implements error.
func (e *Error) Error() string { return e.Sentence }

// Opened is what a worker found in a film and will make of it. Times are those
// of the film: 0 is its first picture.
type Opened struct {
	Container string        `json:"container"`
	Duration  time.Duration `json:"duration"` // until the end of the stream that lasts longest; measured, not believed
	Segment   Segment       `json:"segment"`
	Video     VideoInfo     `json:"video"`
	Audio     []AudioInfo   `json:"audio"`
	Text      []TextInfo    `json:"text"`
	Plan      []string      `json:"plan"` // what will be done and what is lost, one sentence each
	Cost      Cost          `json:"cost"`
}

// Segment is the length of a segment, exactly: Ticks/VideoInfo.TimeScale seconds.
// Segment k begins at k times that. The film ends with the whole picture nearest to
// Opened.Duration, at least one; where the rate varies it ends at Duration, and a
// rest shorter than 1/50 s is no segment but the end of the one before.
type Segment struct {
	Ticks  int64 `json:"ticks"`
	Frames int   `json:"frames"` // 0 where the rate varies
}

// VideoInfo is the picture of a film.
type VideoInfo struct {
	TimeScale  int64    `json:"time_scale"` // ticks a second
	Rate       [2]int   `json:"rate"`       // frames a second as a fraction, 0/1 when it varies
	SourceSize [2]int   `json:"source_size"`
	Size       [2]int   `json:"size"`   // that is encoded, in pixels
	Aspect     [2]int   `json:"aspect"` // of a pixel
	Scale      int      `json:"scale"`
	MaxRate    int      `json:"max_rate"` // kbit/s
	Codec      string   `json:"codec"`    // of the source
	Decoder    []string `json:"decoder"`
}

// AudioInfo is a track of sound as it will be delivered: in frames of FrameSamples. Frame n begins at First + n × FrameSamples in ticks of Rate.
type AudioInfo struct {
	Language     string    `json:"language,omitempty"` // ISO 639
	Title        string    `json:"title,omitempty"`
	Codec        string    `json:"codec"` // of the source
	Passed       bool      `json:"passed"`
	Delivered    AudioMode `json:"delivered"` // AudioAAC or AudioOpus
	Rate         int       `json:"rate"`      // samples a second, which is the time scale
	Channels     int       `json:"channels"`
	FrameSamples int       `json:"frame_samples"`
	First        int64     `json:"first"`    // 0 or later
	Frames       int64     `json:"frames"`   // in the whole film
	BitRate      int       `json:"bit_rate"` // bit/s
	Default      bool      `json:"default"`
}

// TextInfo is a track of subtitles.
type TextInfo struct {
	Language string `json:"language,omitempty"`
	Title    string `json:"title,omitempty"`
	Codec    string `json:"codec"`
	Bitmap   bool   `json:"bitmap"` // drawn: can be burnt in only
	Forced   bool   `json:"forced"`
	Default  bool   `json:"default"`
}

// Cost is what playing a film takes of the machine for each second of it.
type Cost struct {
	CoreMS  float64 `json:"core_ms"` // of processor time, all threads
	GPUMS   float64 `json:"gpu_ms"`  // of the GPU's time, 0 where none works
	Decode  float64 `json:"decode"`  // parts of CoreMS
	Upscale float64 `json:"upscale"`
	Filters float64 `json:"filters"`
	Encode  float64 `json:"encode"`
}

// Costs are measured figures of this machine: core milliseconds for a million
// pixels. Upscale is of the source's pixels, Encode of those encoded.
type Costs struct {
	Model    string  `json:"model"`
	Provider string  `json:"provider"` // that ran it
	Decode   float64 `json:"decode"`
	Upscale  float64 `json:"upscale"`
	Encode   float64 `json:"encode"`
	GPU      float64 `json:"gpu"`
}

// Init comes before the first Packet of a run, and again when the codec data
// changes.
type Init struct {
	Run       uint32 `json:"run"`
	Codec     string `json:"codec"`      // RFC 6381, as in avc1.64001f, mp4a.40.2 and opus
	CodecData []byte `json:"codec_data"` // avcC (ISO/IEC 14496-15), AudioSpecificConfig (14496-3) or OpusHead (RFC 7845)
	Width     int    `json:"width,omitempty"`
	Height    int    `json:"height,omitempty"`
	Aspect    [2]int `json:"aspect"`
	Colour    string `json:"colour,omitempty"` // GStreamer's colorimetry
}

// Packet is an access unit: for H.264 in AVC form (length prefixes of 4 bytes), with
// the parameter sets in front of each key frame, since players that read the first
// Init alone need them after a change; for AAC one raw frame and for Opus one packet,
// each a key frame.
type Packet struct {
	Run                uint32
	Key                bool
	PTS, DTS, Duration int64 // ticks of VideoInfo.TimeScale or AudioInfo.Rate; film time
	Data               []byte
}

// Cue is a cue of text, with WebVTT's markup in its text.
type Cue struct {
	Run   uint32        `json:"run"`
	Start time.Duration `json:"start"`
	End   time.Duration `json:"end"`
	Text  string        `json:"text"`
}

// Progress says that a text run has sent every cue that begins before Until.
type Progress struct {
	Run   uint32        `json:"run"`
	Until time.Duration `json:"until"`
}

// Ended is the last frame of a run. Without Error and Halted the run has made
// all to the end of the film.
type Ended struct {
	Run    uint32 `json:"run"`
	Halted bool   `json:"halted"`
	Error  *Error `json:"error,omitempty"`
}

// Stats come once a second from Hello on, and say that the worker lives. CPU and RSS
// are for the pool to fill in, as the kernel tells them: a worker leaves them 0, and
// could say anything.
type Stats struct {
	CPU      time.Duration `json:"cpu"` // since the worker's start
	RSS      int64         `json:"rss"` // bytes
	Threads  int           `json:"threads"`
	Runs     []RunStats    `json:"runs"`
	Upscaled int64         `json:"upscaled"` // frames, of all runs
	Plain    int64         `json:"plain"`    // frames that no model made
	Dropped  int64         `json:"dropped"`
	Repeated int64         `json:"repeated"` // pictures shown anew where the source has none
	Encoded  int64         `json:"encoded"`
	Median   float64       `json:"median_ms"` // of inference, over the last frames
	P95      float64       `json:"p95_ms"`
	Model    string        `json:"model,omitempty"` // that really runs
	Provider string        `json:"provider,omitempty"`
}

// RunStats is how far a run is.
type RunStats struct {
	Run     uint32  `json:"run"`
	Waiting bool    `json:"waiting"` // at its limit
	Until   float64 `json:"until"`   // seconds of the film that are made
}

// Warning is something that a user should know and that ends nothing.
type Warning struct {
	Code     string `json:"code"`
	Sentence string `json:"sentence"`
}
