package control

import "time"

// meter bounds how often something may happen: burst times at once, and rate times
// a second on average (the generic cell rate algorithm). One goroutine uses it.
type meter struct {
	free time.Time // when all that happened is forgiven
}

// allow reports whether it may happen now.
func (m *meter) allow(now time.Time) bool {
	const each = time.Second / messageRate
	free := m.free
	if free.Before(now) {
		free = now
	}
	if free.Sub(now) > (messageBurst-1)*each {
		return false
	}
	m.free = free.Add(each)
	return true
}
