package client

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/upscaled-media/upscaled/server/matroska"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/transcode"
)

// making is the result of a film over all its attempts. The goroutine of Transcode has
// it; tell is called by the one that asks, too, while the other waits for the body.
type making struct {
	*Film
	to            *sink
	start, length time.Duration // of the film, that are asked for; length 0: to the end
	never         error         // why the result is not taken up where it broke off; nil: it may be
	trail         *trail        // of what is in the file; nil: it is not known
	cut           *cut          // that the attempt takes the result up at; nil: it makes all of it
	model         string        // that made what is in the file, "" where the server has not told
	again         bool          // there was an attempt before
	ghost         string        // id of its session where that may not have ended, "" for none
}

func newMaking(f *Film) *making {
	m := &making{Film: f, to: &sink{Result: f.Result}}
	order, err := transcode.Parse(f.Query.Encode())
	switch {
	case err != nil:
		m.never = errors.New("what is asked for is not known here") // the server may know it
	case order.Output.Container != "mkv":
		m.never = fmt.Errorf("this can be done with mkv, not with %s", order.Output.Container)
	}
	m.start, m.length = order.Output.Start, order.Output.Duration
	return m
}

// query returns what the attempt asks for.
func (m *making) query() url.Values {
	if m.cut == nil {
		return m.Query
	}
	q := url.Values{}
	for key, values := range m.Query {
		q[key] = values
	}
	from := m.from()
	q.Set("start", (m.start + from).String())
	if m.length > 0 {
		q.Set("duration", (m.length - from).String())
	}
	if m.model != "" {
		q.Set("model", m.model) // the default may be another one by now
	}
	return q
}

// from returns where in the result the attempt begins.
func (m *making) from() time.Duration {
	if m.cut == nil {
		return 0
	}
	return m.cut.length(m.cut.start)
}

// reached returns where in the result it goes on, 0 where all of it is made anew.
func (m *making) reached() time.Duration {
	if m.cut == nil {
		return 0
	}
	return m.cut.length(m.cut.first)
}

// follow writes what the server sends. Errors are MisfitErrors, and those of the body
// and of the file.
func (m *making) follow(body io.Reader) error {
	if m.cut != nil {
		return m.goOn(body)
	}
	if m.never == nil {
		m.never = m.watch(io.TeeReader(body, m.to))
	}
	if m.to.failed != nil {
		return m.to.failed
	}
	_, err := io.CopyBuffer(m.to, struct{ io.Reader }{body}, make([]byte, 256<<10))
	return err
}

// watch reads along while a result is written, to its end or to where nothing more of it
// is understood: it returns why. Why the result breaks off is told to who reads on.
func (m *making) watch(result io.Reader) error {
	r, err := matroska.NewReader(result)
	if err == nil {
		m.trail, err = newTrail(r.Head())
		if err != nil {
			return err
		}
	}
	for err == nil {
		var b matroska.Block
		if b, err = r.Next(); err == nil {
			m.trail.add(b)
		}
	}
	if errors.Is(err, matroska.ErrForm) {
		return err
	}
	return nil
}

// goOn takes the result up at the cut.
func (m *making) goOn(body io.Reader) error {
	r, err := matroska.NewReader(body)
	if errors.Is(err, matroska.ErrForm) {
		return m.cut.misfit("%s", err)
	}
	if err != nil {
		return err
	}
	j, err := newJoin(m.cut, r)
	if err != nil {
		return err
	}
	if err := j.prove(); err != nil {
		return err
	}
	return j.write(m.to)
}

// retreat makes ready for another attempt after a connection that broke: it goes on from
// the last place where the result can be cut, or begins with an empty file. It reports
// whether the result had come further than the attempt before.
func (m *making) retreat(lost *LostError) (r Retry, further bool, err error) {
	reached := int64(-1)
	if m.cut != nil {
		reached = m.cut.first
	}
	r = Retry{Cause: lost, Anew: m.never}
	switch {
	case m.never != nil:
	case m.trail == nil:
		r.Anew = errors.New("nothing of it had come")
	default:
		m.cut, r.Anew = m.trail.cut()
	}
	if m.again = true; r.Anew != nil {
		return r, false, m.anew()
	}
	r.From = m.reached()
	return r, m.cut.first > reached, nil
}

// part makes ready for another attempt after one that did not fit, which a film has
// once.
func (m *making) part(misfit *MisfitError) (Retry, error) {
	m.never, m.again = misfit, true
	return Retry{Cause: misfit}, m.anew()
}

// anew forgets the result.
func (m *making) anew() error {
	m.trail, m.cut, m.model = nil, nil, ""
	return m.to.cut(0)
}

// tell tells of a session, and returns it, as of one that made all of the result.
func (m *making) tell(s playback.Session) playback.Session {
	if m.model == "" {
		m.model = s.Settings.Model
	}
	if m.cut != nil && s.Progress != nil {
		p := *s.Progress
		p.Position += m.from().Seconds()
		if p.Duration > 0 {
			p.Duration += m.from().Seconds()
		}
		for _, n := range []*int64{&p.Decoded, &p.Upscaled, &p.Encoded} {
			*n += m.cut.kept
		}
		s.Progress = &p
	}
	if m.Observe != nil {
		m.Observe(s)
	}
	return s
}

// sink tells errors of the result from those of the connection.
type sink struct {
	Result
	failed error
}

// Write implements io.Writer.
func (s *sink) Write(p []byte) (int, error) {
	n, err := s.Result.Write(p)
	if err != nil {
		s.failed = err
	}
	return n, err
}

// cut lets the result end behind so many bytes, where it is then written to.
func (s *sink) cut(size int64) error {
	err := s.Truncate(size)
	if err == nil {
		_, err = s.Seek(size, io.SeekStart)
	}
	if err != nil {
		s.failed = err
	}
	return err
}

// writeError is one of the result.
type writeError struct{ error }
