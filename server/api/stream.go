package api

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/playout"
	"github.com/upscaled-media/upscaled/server/problem"
	"github.com/upscaled-media/upscaled/server/session"
)

// streamPath returns where a session is played out in a container, to who has the
// token. With a capability it is a name among the session's media.
func streamPath(c playout.Container) string { return "/v1/sessions/{id}/stream." + string(c) }

// streamOf returns the container that a name among a session's media stands for.
func streamOf(path string) (c playout.Container, is bool) {
	name, is := strings.CutPrefix(path, "stream.")
	for _, c := range playout.Containers() {
		if is && name == string(c) {
			return c, true
		}
	}
	return "", false
}

// liveTakes is how long a client of a live stream may take nothing. Nobody waits for it, but it keeps the session.
const liveTakes = 10 * time.Second

// parseSelection reads a query for a container, strictly. The error is a problem.
func parseSelection(query url.Values, c playout.Container) (playout.Selection, error) {
	chosen := playout.Selection{Audio: playout.StandardAudio, Text: playout.NoText}
	if c.Text() {
		chosen.Text = playout.StandardText
	}
	for name, values := range query {
		value, ok := values[len(values)-1], len(values) == 1
		switch {
		case name == "start":
			seconds, err := strconv.ParseFloat(value, 64)
			ok = ok && err == nil && seconds >= 0 && seconds < math.MaxInt64/float64(time.Second)
			chosen.Start = time.Duration(seconds * float64(time.Second))
		case name == "audio":
			ok = choose(&chosen.Audio, value, playout.NoAudio) && ok
		case name == "text" && c.Text():
			ok = choose(&chosen.Text, value, playout.NoText) && ok
		default:
			ok = false
		}
		if !ok {
			return playout.Selection{}, playback.Faulty(problem.Fault{
				Where: "query." + name, What: "must be start in seconds, audio, or text of mkv, with the number of a track or none, once each",
			})
		}
	}
	return chosen, nil
}

// choose reads the number of a track, or that none is wanted.
func choose(track *int, value string, none int) bool {
	if value == "none" {
		*track = none
		return true
	}
	n, err := strconv.ParseUint(value, 10, 16)
	*track = int(n)
	return err == nil
}

// streamed answers with a whole session as one stream, from a time on, for as long as
// the client takes it.
func (a *API) streamed(w http.ResponseWriter, r *http.Request, c playout.Container) {
	s, chosen, err := a.chosen(r, c)
	if err != nil {
		a.fail(r.Context(), w, r, err)
		return
	}
	h := w.Header()
	h.Set("Content-Type", c.ContentType())
	h.Set("X-Accel-Buffering", "no")
	h.Set("Accept-Ranges", "none")
	if r.Method == http.MethodHead {
		w.WriteHeader(http.StatusOK)
		return
	}
	answer := &stream{ResponseWriter: w}
	err = answer.play(r.Context(), s, c, chosen)
	switch {
	case err == nil:
	case answer.begun:
		_ = a.problem(r.Context(), err) // logs it
		panic(http.ErrAbortHandler)     // an end would say that this was all of the film
	default:
		a.fail(r.Context(), w, r, err)
	}
}

// chosen returns the session of a request, and what is asked for of it.
func (a *API) chosen(r *http.Request, c playout.Container) (player, playout.Selection, error) {
	found, err := a.o.Sessions.Find(r.PathValue("id"))
	if err != nil {
		return nil, playout.Selection{}, err
	}
	s, ok := found.(player)
	if !ok {
		return nil, playout.Selection{}, fmt.Errorf("%w: it is a %s", session.ErrKind, found.Kind())
	}
	chosen, err := parseSelection(r.URL.Query(), c)
	if err == nil {
		err = s.Err()
	}
	return s, chosen, err
}

// player is a session that can be played out.
type player interface {
	session.Entry
	// Err returns nil while the session goes on, otherwise how it ended.
	Err() error
	// Ending is closed when the session begins to end.
	Ending() <-chan struct{}
}

// stream is an answer that lasts as long as its session.
type stream struct {
	http.ResponseWriter
	begun bool
	takes time.Duration // how long the client may take nothing; 0: as long as there is a session
}

// Unwrap lets http.ResponseController reach the connection.
func (s *stream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

// Write implements io.Writer.
func (s *stream) Write(data []byte) (n int, err error) {
	s.begun = true
	s.bound(func() { n, err = s.ResponseWriter.Write(data) })
	return n, err
}

// handOn sends what was written.
func (s *stream) handOn() (err error) {
	s.bound(func() { err = http.NewResponseController(s.ResponseWriter).Flush() })
	return err
}

// bound has what is sent taken in time. Nothing is bound meanwhile: of HTTP/2 a deadline ends the answer also where
// nothing is sent.
func (s *stream) bound(send func()) {
	if s.takes == 0 {
		send()
		return
	}
	control := http.NewResponseController(s.ResponseWriter)
	_ = control.SetWriteDeadline(time.Now().Add(s.takes)) // as in cutOff
	send()
	_ = control.SetWriteDeadline(time.Time{})
}

// play plays a session out. A client of a film that takes nothing is waited for until the session ends, which it does
// when nobody uses it.
func (s *stream) play(ctx context.Context, from player, c playout.Container, chosen playout.Selection) error {
	source, err := playout.Play(ctx, from, chosen)
	if err != nil {
		return err
	}
	defer source.Close()
	if answer, ok := s.ResponseWriter.(*bounded); ok {
		answer.lasting = true
	}
	if from.Kind() == session.KindLive {
		s.takes = liveTakes // what was made before the session's end is sent still
	} else {
		defer s.cutOff(from)()
	}
	err = playout.Stream(ctx, source, c, s, s.handOn)
	if ended := from.Err(); err != nil && ended != nil {
		return ended // and not what that did to the connection
	}
	return err
}

// cutOff has the session's end end the answer, until what it returns is called.
func (s *stream) cutOff(from player) (stop func()) {
	control := http.NewResponseController(s)
	var watching sync.WaitGroup
	over := make(chan struct{})
	watching.Go(func() {
		select {
		case <-from.Ending():
			_ = control.SetWriteDeadline(time.Now()) // a connection that cannot is not waited for
		case <-over:
		}
	})
	return func() {
		close(over)
		watching.Wait()
	}
}

// describeStreams adds the streams to the document.
func (a *API) describeStreams() {
	for _, c := range playout.Containers() {
		o := op(http.MethodGet, streamPath(c), "stream-"+string(c), "Play a session out as "+strings.ToUpper(string(c)),
			"The film from a time on, in one answer that is sent as it is made and as it is taken. Times in it are those of the film. "+
				"Of a live session it is what is made from now on, as it is made; who takes it too slowly goes on at the newest key picture. "+
				"An answer that breaks off was not the whole film. The same is at urls.stream with a capability in place of the token.",
			400, 404, 409, 410, 504)
		number := &huma.Schema{Type: huma.TypeNumber, Minimum: new(float64)}
		o.Parameters = []*huma.Param{
			parameter("id", "Id of the session."),
			{Name: "start", In: "query", Description: "Seconds of the film. The stream begins with the segment that is shown then.", Schema: number},
			{Name: "audio", In: "query", Description: "Number of the track of sound, or none. Without, the one that plays where nobody chooses.", Schema: &huma.Schema{Type: huma.TypeString}},
		}
		if c.Text() {
			o.Parameters = append(o.Parameters, &huma.Param{
				Name: "text", In: "query", Schema: &huma.Schema{Type: huma.TypeString},
				Description: "Number of the text subtitles, or none. Without, those that the session was asked for, the film's default, or its first.",
			})
		}
		a.describe(o, map[string]*huma.Schema{c.ContentType(): {Type: huma.TypeString, Format: "binary"}})
	}
}
