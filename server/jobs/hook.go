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

// deliver sends messages until ctx ends. Those that are not delivered by then wait in
// the store for the next start.
func (q *Queue) deliver(ctx context.Context) {
	var sending sync.WaitGroup
	defer sending.Wait()
	places := make(chan struct{}, atOnce)
	due := map[string]time.Time{} // when each is tried next, by the monotonic clock
	for {
		wait := lastRetry
		for _, m := range q.waitingMessages() {
			at, known := due[m.ID]
			if !known { // the store's time is another clock's, which may have been set
				at = time.Now().Add(min(max(time.Until(m.Next), 0), lastRetry))
				due[m.ID] = at
			}
			if left := time.Until(at); left > 0 {
				wait = min(wait, left)
				continue
			}
			select {
			case places <- struct{}{}:
				due[m.ID] = time.Now().Add(lastRetry + time.Minute) // it is under way
				sending.Go(func() {
					q.sendOnce(ctx, m)
					<-places
					signal(q.post)
				})
			default:
				wait = lastRetry // one that ends says so
			}
		}
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-q.post:
			q.reschedule(due)
		case <-timer.C:
		}
		timer.Stop()
	}
}

// reschedule takes over when messages that failed, or came, are due.
func (q *Queue) reschedule(due map[string]time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id := range due {
		m, waits := q.messages[id]
		if !waits {
			delete(due, id)
		} else if !m.retry.IsZero() {
			due[id] = m.retry
			m.retry = time.Time{}
			q.messages[id] = m
		}
	}
}

// waitingMessages returns the messages that are not delivered.
func (q *Queue) waitingMessages() []message {
	q.mu.Lock()
	defer q.mu.Unlock()
	all := make([]message, 0, len(q.messages))
	for _, m := range q.messages {
		all = append(all, m)
	}
	return all
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
