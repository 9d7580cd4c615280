package server

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/upscaled-media/upscaled/server/api"
	"github.com/upscaled-media/upscaled/server/auth"
	"github.com/upscaled-media/upscaled/server/jobs"
	"github.com/upscaled-media/upscaled/server/playback"
	"github.com/upscaled-media/upscaled/worker/workertest"
)

var update = flag.Bool("update", false, "write the answers in docs/api.md anew")

// What the page calls that is another each time.
const (
	sampleID         = "wkqvqfw5xhxdkbtblcvdygoqh4"
	sampleJob        = "mzrt5f7wq2kcx3vyh6nbd4epsa"
	sampleOrder      = "o3k7yqzw5dcnv4hbt2xgmf6rje"
	sampleCapability = "AAAAAGsCHwkqVJf3Zx0mS1tYc9dLq8eW"
	sampleTime       = `"2026-03-14T20:15:00Z"`
)

// volatile are the values, by their names, that depend on the machine or on the
// moment, with what the page has in their place.
var volatile = map[string]string{
	"created": sampleTime, "ended": sampleTime, "expires": sampleTime, "buffered": "24", "seq": "4",
	"cores": "8", "memory": "16777216000", "server": `"1f2e3d4c5b6a"`, "gstreamer": `"1.22.0"`, "onnxruntime": `"1.27.0"`,
	"container": `"Matroska"`, "video.codec": `"video/x-h264"`, "audio.codec": `"audio/mpeg"`, "subtitles.codec": `"text/x-raw"`,
	"video.decoder": `["h264parse", "avdec_h264"]`, "plan.steps": "[]", // a real worker's, since the test's draws pictures
	"settings.container": `"mkv"`, // of what is made, which is asked for
	"core_ms_limit":      "7200", "spare": "1", "running": "1", "starting": "0", "core_ms": "500", "upscale_ms": "500",
}

// signed is a capability in a URL, which is another every second.
var signed = regexp.MustCompile(`/media/[A-Za-z0-9_-]{32}/`)

// example is a request in docs/api.md with the answer behind it.
var example = regexp.MustCompile("(?s)```http\n(.*?)```\n\n```(json|m3u8|text)\n(.*?)```\n")

// TestDocsAPI sends each request in docs/api.md, in their order, and holds the
// answer to the one on the page.
func TestDocsAPI(t *testing.T) {
	c := guarded(t)
	d := begin(t, c)
	d.add("night-train.mkv", workertest.Film{
		Duration: workertest.Length(90 * time.Second), Rate: [2]int{24000, 1001},
		Audio: []workertest.Sound{{Language: "en", Default: true}}, Text: []workertest.Titles{{Language: "en"}},
	})
	file := filepath.Join("..", "docs", "api.md")
	page, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	p := &replay{d: d, t: t, asked: map[string]bool{}}
	current := example.ReplaceAllStringFunc(string(page), func(block string) string {
		parts := example.FindStringSubmatch(block)
		return "```http\n" + parts[1] + "```\n\n" + p.answer(parts[1])
	})
	if *update {
		must(t, os.WriteFile(file, []byte(current), 0o644))
	} else if current != string(page) {
		t.Errorf("docs/api.md is not what the server answers; run go test ./server -run TestDocsAPI -update and look at the difference:\n%s",
			difference(string(page), current))
	}
	for _, route := range api.Routes() {
		if strings.Contains(route.Path, "/whep") || strings.HasPrefix(route.Path, "/v1/whip") {
			continue // docs/webrtc.md has them: a session description is another each time
		}
		if route.Needs != auth.Handshake && !p.asked[route.Method+" "+route.Path] {
			t.Errorf("docs/api.md has no example of %s %s", route.Method, route.Path)
		}
	}
}

// difference returns the first line in which two texts differ.
func difference(page, current string) string {
	a, b := strings.Split(page, "\n"), strings.Split(current, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n- %s\n+ %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("%d lines, not %d", len(b), len(a))
}

// replay sends the requests of a page.
type replay struct {
	d          *daemon
	t          *testing.T
	id         string // of the session that was created last
	job, order string // of the job that was added last
	capability string
	asked      map[string]bool // routes
	shown      bool            // a whole session was on the page
	elided     []string        // members whose content is left out
}

// answer sends a request as the page has it and returns the block of its answer.
func (p *replay) answer(request string) string {
	p.t.Helper()
	head, body, _ := strings.Cut(request, "\n\n")
	lines := strings.Split(strings.TrimSpace(head), "\n")
	method, path, found := strings.Cut(lines[0], " ")
	if !found {
		p.t.Fatalf("no request: %q", lines[0])
	}
	p.note(method, path)
	headers := []string{auth.TokenHeader, token}
	if strings.Contains(path, "/media/") {
		headers = nil // players have none
	}
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		headers = append(headers, name, strings.ReplaceAll(value, "YOUR-TOKEN", token))
	}
	path = strings.NewReplacer(sampleID, p.id, sampleJob, p.job, sampleCapability, p.capability).Replace(path)
	p.elided = []string{"components", "paths"}
	if p.shown {
		p.elided = append(p.elided, "film", "plan")
	}
	if p.shown && method != http.MethodPatch {
		p.elided = append(p.elided, "settings")
	}
	got := p.d.ask(method, path, strings.TrimSpace(body), headers...)
	var s playback.Session
	var added jobs.Added
	switch {
	case got.status != http.StatusCreated:
	case path == "/v1/jobs":
		must(p.t, json.Unmarshal(got.body, &added))
		p.job, p.order = added.Jobs[0].ID, added.Order
	default:
		must(p.t, json.Unmarshal(got.body, &s))
		p.id, p.capability = s.ID, strings.Split(s.URLs.Master, "/")[5]
		// It may have begun by now.
		got.body = bytes.Replace(got.body, []byte(`"state":"playing"`), []byte(`"state":"starting"`), 1)
	}
	block := p.block(got)
	p.shown = p.id != ""
	return block
}

// note takes down the route of a request.
func (p *replay) note(method, path string) {
	path, _, _ = strings.Cut(path, "?")
	path = strings.NewReplacer(sampleID, "{id}", sampleJob, "{id}", sampleCapability, "{capability}").Replace(path)
	if before, _, is := strings.Cut(path, "{capability}/"); is {
		path = before + "{capability}/{path...}"
	}
	route, _, _ := strings.Cut(path, "?")
	p.asked[method+" "+route] = true
}

// block returns an answer as the page has it.
func (p *replay) block(got answer) string {
	status := fmt.Sprintf("%d %s", got.status, http.StatusText(got.status))
	kind, _, _ := strings.Cut(got.header.Get("Content-Type"), ";")
	switch kind {
	case "application/json", "application/problem+json":
		return "```json\n" + status + "\n\n" + p.pretty(got.body) + "\n```\n"
	case "application/vnd.apple.mpegurl":
		lines := strings.SplitAfter(string(got.body), "\n")
		return "```m3u8\n" + status + "\n\n" + strings.Join(lines[:min(len(lines), 12)], "") + "```\n"
	case "text/plain":
		var first []string
		for line := range strings.Lines(string(got.body)) {
			if strings.Contains(line, "upscaled_sessions") && !strings.Contains(line, "total") {
				first = append(first, line)
			}
		}
		return "```text\n" + status + "\n\n" + strings.Join(first, "") + "```\n"
	case "":
		return "```text\n" + status + "\n```\n"
	}
	return "```text\n" + status + "\nContent-Type: " + kind + "\n```\n"
}

// pretty writes a document as the page has it.
func (p *replay) pretty(body []byte) string {
	p.t.Helper()
	text := signed.ReplaceAllString(string(body), "/media/"+sampleCapability+"/")
	if p.id != "" {
		text = strings.ReplaceAll(text, p.id, sampleID)
	}
	if p.job != "" {
		text = strings.NewReplacer(p.job, sampleJob, p.order, sampleOrder).Replace(text)
	}
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	root, err := p.parse(decoder, "")
	if err != nil {
		p.t.Fatalf("%v in %s", err, body)
	}
	return root.write("")
}

// node is a value of JSON whose members keep their order.
type node struct {
	text  string   // of a scalar
	open  string   // "{" or "[", "" of a scalar
	names []string // of members
	nodes []node
}

// parse reads a value, with what is volatile replaced and lists cut after their
// first entry that is an object.
func (p *replay) parse(d *json.Decoder, parent string) (node, error) {
	token, err := d.Token()
	if err != nil {
		return node{}, err
	}
	delimiter, is := token.(json.Delim)
	if !is {
		text, err := json.Marshal(token)
		return node{text: string(bytes.ReplaceAll(text, []byte(`\u0026`), []byte("&")))}, err
	}
	n := node{open: delimiter.String()}
	for d.More() {
		name := parent // entries of a list are called like it
		if n.open == "{" {
			key, err := d.Token()
			if err != nil {
				return n, err
			}
			name = key.(string)
		}
		value, err := p.parse(d, name)
		if err != nil {
			return n, err
		}
		fixed, is := volatile[parent+"."+name]
		if !is && value.open == "" {
			fixed, is = volatile[name]
		}
		switch {
		case name == "stats":
			continue // comes with the first second
		case is:
			value = node{text: fixed}
		case value.open == "{" && slices.Contains(p.elided, name):
			value = node{text: "{…}"}
		}
		n.names, n.nodes = append(n.names, name), append(n.nodes, value)
	}
	if n.open == "[" && len(n.nodes) > 1 && n.nodes[0].open == "{" {
		n.names, n.nodes = n.names[:2], append(n.nodes[:1:1], node{text: "…"})
	}
	_, err = d.Token()
	return n, err
}

// write returns the value on one line where that is short, otherwise on several.
func (n node) write(indent string) string {
	if n.open == "" {
		return n.text
	}
	closing := map[string]string{"{": "}", "[": "]"}[n.open]
	short, long := make([]string, len(n.nodes)), make([]string, len(n.nodes))
	for i, kid := range n.nodes {
		name := ""
		if n.open == "{" {
			name = fmt.Sprintf("%q: ", n.names[i])
		}
		short[i] = name + kid.write("")
		long[i] = indent + "  " + name + kid.write(indent+"  ")
	}
	line := n.open + strings.Join(short, ", ") + closing
	if len(indent)+len(line) <= 110 && !strings.Contains(line, "\n") {
		return line
	}
	return n.open + "\n" + strings.Join(long, ",\n") + "\n" + indent + closing
}
