package api

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// slowly is an answer that is taken slowly, and knows until when it might be.
type slowly struct {
	*httptest.ResponseRecorder
	deadlines []time.Time
}

func (s *slowly) SetWriteDeadline(at time.Time) error {
	s.deadlines = append(s.deadlines, at)
	return nil
}

// TestLiveStreamsAreTaken holds that who takes nothing of a live stream has a bound, and only while something is sent;
// and that a film has none.
func TestLiveStreamsAreTaken(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		now := time.Now()
		for takes, want := range map[time.Duration][]time.Time{
			0: nil, liveTakes: {now.Add(liveTakes), {}, now.Add(liveTakes), {}},
		} {
			w := &slowly{ResponseRecorder: httptest.NewRecorder()}
			s := &stream{ResponseWriter: w, takes: takes}
			if _, err := s.Write([]byte("picture")); err != nil {
				t.Error(err)
			}
			if err := s.handOn(); err != nil || !s.begun || w.Code != http.StatusOK || w.Body.String() != "picture" || !w.Flushed {
				t.Errorf("%v, %d %q", err, w.Code, w.Body)
			}
			if !slices.Equal(w.deadlines, want) {
				t.Errorf("bound to %s: until %v", takes, w.deadlines)
			}
		}
	})
}
