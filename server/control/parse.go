package control

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"

	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/server/problem"
)

// wholeID is an id that is a number: whole, and exact in every client.
var wholeID = regexp.MustCompile(`^(0|[1-9][0-9]{0,14})$`)

// maxID bounds an id that is a string, in bytes of JSON.
const maxID = 128

// parse reads a frame of a client. With an error, a problem, the request has at
// least the id, where that could be read.
func parse(data []byte) (request, error) {
	if err := scan(data); err != nil {
		return request{}, err
	}
	var members map[string]json.RawMessage
	if err := json.Unmarshal(data, &members); err != nil || members == nil {
		return request{}, faulty("message", "must be an object")
	}
	r := request{Payload: json.RawMessage("{}")}
	if id, ok := members["id"]; ok && goodID(id) {
		r.ID = id
	} else {
		return r, faulty("id", "must be a string of at most %d bytes, or a whole number", maxID-2)
	}
	if err := json.Unmarshal(members["type"], &r.Type); err != nil || r.Type == "" {
		return r, faulty("type", "must be the name of a request")
	}
	if p, ok := members["payload"]; ok && !bytes.Equal(p, []byte("null")) {
		if p[0] != '{' {
			return r, faulty("payload", "must be an object")
		}
		r.Payload = p
	}
	for name := range members {
		if name != "id" && name != "type" && name != "payload" {
			return r, faulty(fmt.Sprintf("%.64q", name), "is no member of a request")
		}
	}
	return r, nil
}

func goodID(id json.RawMessage) bool {
	return len(id) > 2 && len(id) <= maxID && id[0] == '"' || wholeID.Match(id)
}

// scan checks what JSON itself leaves open: that there is one value, not too deep,
// and that no member of an object comes twice, of which readers take now the one
// and now the other.
func scan(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // numbers out of range are told with their place, later
	if err := scanValue(d, 0); err != nil {
		var told *problem.Problem
		if errors.As(err, &told) {
			return told
		}
		return faulty("message", "is no JSON")
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return faulty("message", "must be one JSON value")
	}
	return nil
}

func scanValue(d *json.Decoder, depth int) error {
	token, err := d.Token()
	if err != nil {
		return err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return nil
	}
	if depth == maxDepth {
		return faulty("message", "may be %d deep", maxDepth)
	}
	seen := map[string]bool{}
	for d.More() {
		if delim == '{' {
			key, err := d.Token()
			if err != nil {
				return err
			}
			name, _ := key.(string) // the decoder lets no other one through
			if seen[name] {
				return faulty(fmt.Sprintf("%.64q", name), "is there twice")
			}
			seen[name] = true
		}
		if err := scanValue(d, depth+1); err != nil {
			return err
		}
	}
	_, err = d.Token()
	return err
}

func faulty(where, what string, args ...any) error {
	return playback.Faulty(problem.Fault{Where: where, What: fmt.Sprintf(what, args...)})
}
