package auth

import (
	"net/netip"
	"sync"
	"time"
)

// How often a wrong token may come from one address: ten at once, and one every
// six seconds after.
const (
	tryInterval = 6 * time.Second
	tryBurst    = 10
)

// maxAddresses bounds the memory of tries, at some 100 bytes each. When there are
// more, the one with the least against it is forgotten.
const maxAddresses = 4096

// tries counts wrong tokens by address. It keeps one time for each: when all of
// its tries will be forgiven (the generic cell rate algorithm).
type tries struct {
	mu       sync.Mutex
	forgiven map[netip.Prefix]time.Time // guarded by mu
}

// attempt lets an address try, by calling right, unless too many of its tries
// were wrong; then wait says for how long. It holds the lock meanwhile, so that
// tries at the same time are counted, too; right must be quick.
func (t *tries) attempt(addr netip.Addr, right func() bool) (ok bool, wait time.Duration) {
	key := household(addr)
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	owed := max(0, t.forgiven[key].Sub(now))
	if over := owed - (tryBurst-1)*tryInterval; over > 0 {
		return false, over
	}
	if right() {
		return true, 0
	}
	if t.forgiven == nil {
		t.forgiven = map[netip.Prefix]time.Time{}
	}
	t.makeRoom(key, now)
	t.forgiven[key] = now.Add(owed + tryInterval)
	return false, 0
}

// makeRoom keeps the map within its bound. t.mu is held.
func (t *tries) makeRoom(key netip.Prefix, now time.Time) {
	if _, known := t.forgiven[key]; known || len(t.forgiven) < maxAddresses {
		return
	}
	var least netip.Prefix
	for other, until := range t.forgiven {
		if !until.After(now) {
			delete(t.forgiven, other)
		} else if !least.IsValid() || until.Before(t.forgiven[least]) {
			least = other
		}
	}
	if len(t.forgiven) >= maxAddresses {
		delete(t.forgiven, least)
	}
}

// household returns the addresses that one customer usually has: an IPv4 address,
// or a /64 of IPv6, within which a machine picks its own.
func household(addr netip.Addr) netip.Prefix {
	bits := 64
	if addr.Is4() {
		bits = 32
	}
	prefix, _ := addr.Prefix(bits) // fails for the zero Addr alone, which has a household of its own
	return prefix
}
