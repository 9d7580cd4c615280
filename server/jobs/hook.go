package jobs

import (
	"bytes"
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/upscaled-media/upscaled/server/source"
)

const (
	// SignatureHeader holds "t=SECONDS,v1=HEX": HMAC-SHA256 with the secret over the
	// seconds in decimal, a full stop and the body.
	SignatureHeader = "X-Upscaled-Signature"
	// DeliveryHeader holds the id of the job, by which a receiver knows a message that
	// it has had.
	DeliveryHeader = "X-Upscaled-Delivery"
)

const (
	hookWait     = 10 * time.Second // for each stage of a delivery
	hookAttempts = 8
	firstRetry   = 10 * time.Second // doubles from attempt to attempt
	lastRetry    = time.Hour
	atOnce       = 4       // deliveries
	hookAnswer   = 4 << 10 // bytes of an answer that are read
)

// Sign returns the signature of a body that is sent at a time.
func Sign(secret string, at time.Time, body []byte) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// notice is the body of a message.
type notice struct {
	Event string `json:"event"` // job.done, job.failed or job.cancelled
	Job   Job    `json:"job"`
}

// messageOf returns the message of a job that is over.
func (q *Queue) messageOf(r *Record) message {
	told := of(r)
	told.Webhook = nil // what is being done here is no news to the receiver
	body, err := json.Marshal(notice{"job." + string(r.State), told})
	if err != nil {
		q.o.Log.Error("message of a job cannot be written", append(r.attrs(), "error", err)...)
		body = fmt.Appendf(nil, `{"event":"job.%s","job":{"id":%q}}`, r.State, r.ID)
	}
	return message{ID: r.ID, Hook: *r.Hook, Body: body, Next: time.Now().UTC()}
}

// turn is when a message is sent next, by the monotonic clock, and to whom.
type turn struct {
	at   time.Time
	host string
}

// deliver sends messages until ctx ends, those that are due longest first, and one at a
// time to each host: one that does not answer keeps no other waiting. Those that are not
// delivered by then wait in the store for the next start.
func (q *Queue) deliver(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	turns := map[string]turn{}            // by job
	called := map[string]bool{}           // hosts
	answered := make(chan string, atOnce) // hosts; each that is called finds room
	for {
		q.reschedule(turns)
		m, wait := q.nextMessage(turns, called)
		if wait <= 0 {
			host := turns[m.ID].host
			called[host] = true
			turns[m.ID] = turn{time.Now().Add(lastRetry + time.Minute), host} // it is under way
			sending.Go(func() {
				q.sendOnce(ctx, m)
				answered <- host
			})
			continue
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-q.post:
		case host := <-answered:
			delete(called, host)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// reschedule takes over when messages that failed, or came, are due.
func (q *Queue) reschedule(turns map[string]turn) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range turns {
		if _, waits := q.messages[id]; !waits {
			delete(turns, id)
		}
	}
	for id, m := range q.messages {
		t, known := turns[id]
		switch {
		case !m.retry.IsZero():
			t.at = m.retry
			m.retry = time.Time{}
			q.messages[id] = m
		case !known: // the store's time is another clock's, which may have been set
			t.at = time.Now().Add(min(max(time.Until(m.Next), 0), lastRetry))
		}
		if t.host == "" {
			t.host = m.Hook.host()
		}
		turns[id] = t
	}
}

// nextMessage returns the message that is due first of those whose host is not called
// now, and how long that is yet.
func (q *Queue) nextMessage(turns map[string]turn, called map[string]bool) (m message, wait time.Duration) {
	if len(called) == atOnce {
		return m, lastRetry // one that answers says so
	}
	next, at := "", time.Now().Add(lastRetry)
	for id, t := range turns {
		if !called[t.host] && t.at.Before(at) {
			next, at = id, t.at
		}
	}
	if next == "" {
		return m, lastRetry
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.messages[next], time.Until(at)
}

// sendOnce tries to deliver a message and stores what came of it.
func (q *Queue) sendOnce(ctx context.Context, m message) {
	err := q.send(ctx, m)
	if ctx.Err() != nil {
		return // it may have come; it is sent again after the next start
	}
	m.Attempts++
	d := Delivery{State: DeliveryDelivered, Attempts: m.Attempts}
	switch {
	case err == nil:
	case m.Attempts >= hookAttempts:
		d.State, d.Last = DeliveryGivenUp, err.Error()
	default:
		d.State, d.Last = DeliveryPending, err.Error()
		pause := min(firstRetry<<(m.Attempts-1), lastRetry)
		m.Next, m.retry = time.Now().UTC().Add(pause), time.Now().Add(pause)
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	stored := q.update(m.ID, func(r *Record, c *change) {
		if r.Delivery = &d; d.State == DeliveryPending {
			c.messages = append(c.messages, m)
		} else {
			c.delivered = append(c.delivered, m.ID)
		}
	})
	if stored != nil { // it is sent again
		m.retry = time.Now().Add(lookEvery)
		q.messages[m.ID] = m
	}
	q.o.Log.Info("webhook called", "job", m.ID, "attempt", m.Attempts, "state", d.State, "error", err, "stored", stored == nil)
}

// send sends a message once.
func (q *Queue) send(ctx context.Context, m message) error {
	ctx, cancel := context.WithTimeout(ctx, 3*hookWait)
	defer cancel()
	if _, err := q.o.Hosts.Check(m.Hook.URL); err != nil { // the list may be another one since
		return withoutURL(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, m.Hook.URL, bytes.NewReader(m.Body))
	if err != nil {
		return fmt.Errorf("the URL cannot be asked")
	}
	secret := cmp.Or(m.Hook.Secret, q.o.Secret.Reveal())
	if secret == "" { // it was taken out of the configuration since
		return fmt.Errorf("there is no secret to sign with; set jobs.webhook.secret again")
	}
	if user := request.URL.User; user != nil {
		password, _ := user.Password()
		request.SetBasicAuth(user.Username(), password)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", "upscaled")
	request.Header.Set(DeliveryHeader, m.ID)
	request.Header.Set(SignatureHeader, Sign(secret, time.Now(), m.Body))
	response, err := q.transport.RoundTrip(request) // which follows no redirect
	if err != nil {
		return withoutURL(err)
	}
	_, _ = io.CopyN(io.Discard, response.Body, hookAnswer) // what it says is of no use
	_ = response.Body.Close()
	if response.StatusCode/100 != 2 {
		return fmt.Errorf("the receiver answered with HTTP status %d", response.StatusCode)
	}
	return nil
}

// withoutURL returns what of an error may be told: not the URL, and no address.
func withoutURL(err error) error {
	if source.CodeOf(err) == source.CodeRefused {
		return fmt.Errorf("the host, or its address, is not in jobs.webhook.hosts")
	}
	return fmt.Errorf("the receiver does not answer")
}
