package pipeline

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// TestPlaylistsFetchNothing proves that a file that only names addresses is
// refused, and that nobody is asked at them.
func TestPlaylistsFetchNothing(t *testing.T) {
	t.Parallel()
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		http.NotFound(w, r)
	}))
	t.Cleanup(server.Close)
	for name, text := range map[string]string{
		"HLS": "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-TARGETDURATION:2\n#EXTINF:2.0,\nURL/part.ts\n#EXT-X-ENDLIST\n",
		"DASH": `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S"
			minBufferTime="PT1S" profiles="urn:mpeg:dash:profile:full:2011"><Period><AdaptationSet mimeType="video/mp2t">
			<Representation id="1" bandwidth="1000"><BaseURL>URL/part.ts</BaseURL></Representation></AdaptationSet></Period></MPD>`,
		"Smooth Streaming": `<?xml version="1.0"?><SmoothStreamingMedia MajorVersion="2" MinorVersion="0" Duration="20000000">
			<StreamIndex Type="video" Chunks="1" QualityLevels="1" Url="URL/{bitrate}/{start time}"><QualityLevel Index="0" Bitrate="1000"
			FourCC="H264" MaxWidth="64" MaxHeight="64" CodecPrivateData="00"/><c t="0" d="20000000"/></StreamIndex></SmoothStreamingMedia>`,
		"SDP": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\na=control:URL\nm=video 0 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, "film.mkv", []byte(strings.ReplaceAll(text, "URL", server.URL)))
			if m, err := Probe(t.Context(), path); CodeOf(err) != CodeNotMedia {
				t.Errorf("%v (code %s) and %+v instead of %s", err, CodeOf(err), m, CodeNotMedia)
			}
			if n := asked.Load(); n != 0 {
				t.Errorf("the address in it was asked %d times", n)
			}
		})
	}
}
