package session

import (
	"testing"
	"time"
)

// there returns what is missing when the given spans [from, to) are made.
func there(spans ...[2]int) func(int) bool {
	return func(k int) bool {
		for _, s := range spans {
			if s[0] <= k && k < s[1] {
				return false
			}
		}
		return true
	}
}

func TestDecide(t *testing.T) {
	begin := func(k, limit int) order { return order{play: true, segment: k, limit: limit} }
	preempt := func(k, limit int) order { return order{play: true, segment: k, limit: limit, preempts: true} }
	limit := func(k int) order { return order{limit: k} }
	for name, c := range map[string]struct {
		wants  []int
		head   int
		making *making
		made   [][2]int
		paused bool
		want   order
	}{
		"nothing asked":                       {head: -1, want: limit(0)},
		"first request":                       {wants: []int{0}, head: 0, want: begin(0, 25)},
		"first request while paused":          {wants: []int{7}, head: 7, paused: true, want: begin(7, 8)},
		"request at the run":                  {wants: []int{5}, head: 5, making: &making{next: 5, reach: 4}, want: limit(30)},
		"request at the run, paused":          {wants: []int{5}, head: 5, making: &making{next: 5, reach: 4}, paused: true, want: limit(6)},
		"three at once":                       {wants: []int{8, 7, 6}, head: 8, making: &making{next: 6, reach: 5}, want: limit(33)},
		"behind the run":                      {wants: []int{3}, head: 3, making: &making{next: 50, reach: 30}, want: begin(3, 28)},
		"beyond the window":                   {wants: []int{75}, head: 75, making: &making{next: 50, reach: 75}, want: begin(75, 100)},
		"ahead, and a new run is faster":      {wants: []int{60}, head: 60, making: &making{next: 50, reach: 50}, want: begin(60, 85)},
		"ahead, and the run comes soon":       {wants: []int{51}, head: 51, making: &making{next: 50, reach: 30}, want: limit(76)},
		"run that is stale":                   {wants: []int{51}, head: 51, making: &making{next: 50, reach: 50, stale: true}, want: begin(51, 76)},
		"newest comes first":                  {wants: []int{90, 5}, head: 90, making: &making{next: 5, reach: 5}, want: preempt(90, 100)},
		"older one waits for its turn":        {wants: []int{90, 5}, head: 90, making: &making{next: 90, reach: 90}, want: limit(100)},
		"served, reads ahead":                 {head: 10, making: &making{next: 20, reach: 10}, made: [][2]int{{0, 20}}, want: limit(35)},
		"served and far enough":               {head: 10, making: &making{next: 35, reach: 10}, made: [][2]int{{0, 35}}, want: limit(35)},
		"served and paused":                   {head: 10, making: &making{next: 20, reach: 10}, made: [][2]int{{0, 20}}, paused: true, want: limit(20)},
		"run elsewhere is not driven on":      {head: 50, making: &making{next: 10, reach: 10}, made: [][2]int{{40, 90}}, want: limit(10)},
		"first missing one begins a run":      {head: 50, made: [][2]int{{40, 60}}, want: begin(60, 85)},
		"no run for what is far ahead":        {head: 30, made: [][2]int{{30, 60}}, want: limit(0)},
		"stops before what is there":          {wants: []int{5}, head: 5, making: &making{next: 5, reach: 5}, made: [][2]int{{12, 40}}, want: limit(12)},
		"makes a short row again":             {wants: []int{5}, head: 5, making: &making{next: 5, reach: 5}, made: [][2]int{{12, 19}}, want: limit(30)},
		"does not wait through what is there": {wants: []int{40}, head: 40, making: &making{next: 20, reach: 40}, made: [][2]int{{25, 40}}, want: begin(40, 65)},
		"goes on beyond what is there":        {head: 30, making: &making{next: 12, reach: 11}, made: [][2]int{{0, 12}, {12, 40}}, want: begin(40, 65)},
		"end of the film":                     {wants: []int{98}, head: 98, want: begin(98, 100)},
		"all is made":                         {head: 99, made: [][2]int{{0, 100}}, want: limit(0)},
	} {
		t.Run(name, func(t *testing.T) {
			o := outlook{
				segments: 100, ahead: 24, window: 24, paused: c.paused,
				wants: c.wants, head: c.head, making: c.making, missing: there(c.made...),
				pace: 600 * time.Millisecond, startup: 1500 * time.Millisecond,
			}
			got := o.decide()
			if got != c.want {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
		})
	}
}

// A run of the film from the first segment to the last must never be replaced,
// however slow it is and however many segments the player asks for at once.
func TestPlayingOnNeverBeginsAnotherRun(t *testing.T) {
	o := outlook{ // reading ahead, which nobody waits for
		segments: 100, ahead: 24, window: 24, head: 10, making: &making{next: 34, reach: 10},
		missing: there([2]int{0, 34}), pace: 9 * time.Second, startup: time.Second,
	}
	if got := o.decide(); got != (order{limit: 35}) {
		t.Errorf("reading ahead: %+v", got)
	}
	for _, parallel := range []int{1, 2, 3} {
		made := 0
		m := &making{next: 0, reach: parallel - 1}
		for made < 100 {
			o := outlook{
				segments: 100, ahead: 24, window: 24, head: min(99, made+parallel-1), making: m,
				missing: there([2]int{0, made}), pace: 9 * time.Second, startup: time.Second,
			}
			for k := min(99, made+parallel-1); k >= made; k-- {
				o.wants = append(o.wants, k)
			}
			got := o.decide()
			if got.play || got.limit <= made {
				t.Fatalf("%d at once, segment %d: %+v", parallel, made, got)
			}
			m.reach = max(m.reach, o.wants[0])
			made++
			m.next = made
		}
	}
}

func TestBucket(t *testing.T) {
	now := time.Unix(1000, 0)
	b := bucket{every: time.Second, burst: 2}
	for i, step := range []struct {
		after time.Duration
		may   bool
	}{{0, true}, {0, true}, {0, false}, {999 * time.Millisecond, false}, {time.Millisecond, true}, {0, false}, {10 * time.Second, true}, {0, true}, {0, false}} {
		now = now.Add(step.after)
		if got := b.take(now); got != step.may {
			t.Errorf("step %d: %v", i, got)
		}
	}
	if wait := b.wait(now); wait != time.Second {
		t.Errorf("waits %v", wait)
	}
}
