package jobs

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"go.etcd.io/bbolt" // one file, synced by each transaction, without cgo, MIT
	berrors "go.etcd.io/bbolt/errors"
)

// storeName is the file in the folder of the store.
const storeName = "jobs.db"

// lockWait is how long another server may take to let go of the store.
const lockWait = 2 * time.Second

// The buckets. Keys of jobs are their numbers, so that they lie in order.
var (
	bucketJobs     = []byte("jobs")
	bucketDone     = []byte("done")     // work → finished
	bucketMessages = []byte("messages") // id of the job → message
)

// store keeps jobs. What write has returned nil for survives a kill and a loss of
// power: bbolt syncs its file before a transaction is done, and a transaction is
// there whole or not at all.
type store struct{ db *bbolt.DB }

// openStore takes hold of a folder, which is made where it is not there.
func openStore(folder string) (*store, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, err
	}
	db, err := bbolt.Open(filepath.Join(folder, storeName), 0o600, &bbolt.Options{Timeout: lockWait})
	if errors.Is(err, berrors.ErrTimeout) {
		return nil, fmt.Errorf("%s is another server's; give each a folder of its own", folder)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", storeName, err)
	}
	err = db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{bucketJobs, bucketDone, bucketMessages} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil {
		err = syncFolder(folder) // the file's name lies in it
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", storeName, err), db.Close())
	}
	return &store{db}, nil
}

func syncFolder(path string) error {
	folder, err := os.Open(path) //nolint:gosec // the operator's own
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// contents are what a store has.
type contents struct {
	jobs     []*Record // in the order of their numbers
	messages []message
}

// load reads the store.
func (s *store) load() (all contents, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		err := tx.Bucket(bucketJobs).ForEach(func(_, value []byte) error {
			r := &Record{}
			all.jobs = append(all.jobs, r)
			return json.Unmarshal(value, r)
		})
		if err != nil {
			return err
		}
		return tx.Bucket(bucketMessages).ForEach(func(_, value []byte) error {
			var m message
			if err := json.Unmarshal(value, &m); err != nil {
				return err
			}
			all.messages = append(all.messages, m)
			return nil
		})
	})
	if err != nil {
		return all, fmt.Errorf("%s: %w", storeName, err)
	}
	return all, nil
}

// change is what becomes another at once.
type change struct {
	jobs      []*Record // put
	forget    []uint64  // numbers of jobs that are removed
	work      string    // that was done, "" for none
	finished  finished
	messages  []message // put
	delivered []string  // messages that are removed
}

// write makes a change, and returns when it is on the disk. New jobs get their
// numbers here.
func (s *store) write(c change) error {
	return s.db.Update(func(tx *bbolt.Tx) error {
		jobs, messages := tx.Bucket(bucketJobs), tx.Bucket(bucketMessages)
		for _, r := range c.jobs {
			if r.Number == 0 {
				r.Number, _ = jobs.NextSequence() // fails in a transaction that only reads
			}
			if err := put(jobs, numberKey(r.Number), r); err != nil {
				return err
			}
		}
		for _, number := range c.forget {
			if err := jobs.Delete(numberKey(number)); err != nil {
				return err
			}
		}
		for _, m := range c.messages {
			if err := put(messages, []byte(m.ID), m); err != nil {
				return err
			}
		}
		for _, id := range c.delivered {
			if err := messages.Delete([]byte(id)); err != nil {
				return err
			}
		}
		if c.work != "" {
			return put(tx.Bucket(bucketDone), []byte(c.work), c.finished)
		}
		return nil
	})
}

// done returns when a work was done, if it was.
func (s *store) done(work string) (f finished, found bool, err error) {
	err = s.db.View(func(tx *bbolt.Tx) error {
		value := tx.Bucket(bucketDone).Get([]byte(work))
		if value == nil {
			return nil
		}
		found = true
		return json.Unmarshal(value, &f)
	})
	return f, found, err
}

func (s *store) close() error { return s.db.Close() }

func put(bucket *bbolt.Bucket, key []byte, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return bucket.Put(key, data)
}

func numberKey(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
