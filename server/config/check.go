package config

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
)

// settle fills in what depends on the machine: the token from its file, and the
// paths that are empty by default.
func (l *loader) settle(c *Config) {
	if c.Auth.TokenFile != "" {
		l.settleToken(c)
	}
	if c.Jobs.Webhook.SecretFile != "" {
		l.settleSecret(&c.Jobs.Webhook)
	}
	if c.Jobs.Path == "" {
		c.Jobs.Path = filepath.Join(stateFolder(), "jobs")
	}
	if c.Cache.Path == "" {
		c.Cache.Path = "/var/cache/upscaled"
		if folder, err := os.UserCacheDir(); err == nil {
			c.Cache.Path = filepath.Join(folder, "upscaled", "segments")
		}
	}
	if c.Workers.Command == "" {
		self, err := os.Executable()
		if err != nil {
			l.fault("workers.command", "must be set: this program does not know where it lies: "+err.Error(), nil)
			return
		}
		c.Workers.Command = filepath.Join(filepath.Dir(self), "upscaled")
	}
}

func (l *loader) settleToken(c *Config) {
	const name = "auth.token_file"
	if c.Auth.Token.IsSet() {
		l.fault(name, "must not be set together with auth.token", c.Auth.TokenFile)
		return
	}
	data, err := readFile(c.Auth.TokenFile)
	if err != nil {
		l.fault(name, "must be a file that can be read: "+err.Error(), nil)
		return
	}
	token, err := auth.ParseToken(strings.TrimRight(string(data), "\r\n"))
	if err == nil && !token.IsSet() {
		err = fmt.Errorf("%w: the file is empty", auth.ErrToken)
	}
	if err != nil {
		l.fault(name, err.Error(), c.Auth.TokenFile)
		return
	}
	c.Auth.Token = token
}

// stateFolder returns the folder of what must last and is not the user's own (XDG
// Base Directory Specification).
func stateFolder() string {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "upscaled")
	}
	if home, err := os.UserHomeDir(); err == nil && filepath.IsAbs(home) {
		return filepath.Join(home, ".local", "state", "upscaled")
	}
	return "/var/lib/upscaled"
}

func (l *loader) settleSecret(c *Webhook) {
	const name = "jobs.webhook.secret_file"
	if c.Secret.IsSet() {
		l.fault(name, "must not be set together with jobs.webhook.secret", c.SecretFile)
		return
	}
	data, err := readFile(c.SecretFile)
	if err != nil {
		l.fault(name, "must be a file that can be read: "+err.Error(), nil)
		return
	}
	secret, err := auth.ParseSecret(strings.TrimRight(string(data), "\r\n"))
	if err == nil && !secret.IsSet() {
		err = fmt.Errorf("must not be empty")
	}
	if err != nil {
		l.fault(name, err.Error(), c.SecretFile)
		return
	}
	c.Secret = secret
}

// check holds all keys to their rules.
func (l *loader) check(c *Config) {
	for _, k := range keysOf(c) {
		if rule := broken(k); rule != "" {
			l.fault(k.name, rule, written(k.field))
		}
	}
	if rule := listenRule(c.Listen, c.Auth.Token.IsSet() || l.wrong["auth.token"] || l.wrong["auth.token_file"]); rule != "" {
		l.fault("listen", rule, c.Listen)
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		l.fault("tls", "must have both cert and key, or neither", nil)
	}
	for _, name := range c.Jobs.Roots {
		if !slices.ContainsFunc(c.Media.Roots, func(r Root) bool { return r.Name == name }) {
			l.fault("jobs.roots", "must be names of media.roots", name)
		}
	}
	if p := c.WebRTC.Ports; p != (Ports{}) && p.count() < c.WebRTC.Peers {
		l.fault("webrtc.ports", fmt.Sprintf("must be as many as browsers may be connected by webrtc.peers, %d", c.WebRTC.Peers), p)
	}
	if c.Sessions.ReadAhead < 2*c.HLS.Segment {
		l.fault("sessions.read_ahead", "must be at least two segments, "+duration(2*c.HLS.Segment), duration(c.Sessions.ReadAhead))
	}
}

// broken returns the rule among a key's tags that its value breaks, "" for none.
func broken(k key) string {
	if least := k.tag.Get("min"); least != "" && compare(k.field, least) < 0 {
		return "must be at least " + least
	}
	if most := k.tag.Get("max"); most != "" && compare(k.field, most) > 0 {
		return "must be at most " + most
	}
	text, isText := k.field.Interface().(string)
	if !isText {
		return "" // decode has seen to the others
	}
	if choices := strings.Fields(k.tag.Get("oneof")); len(choices) > 0 && !strings.Contains(" "+strings.Join(choices, " ")+" ", " "+text+" ") {
		return "must be one of " + strings.Join(choices, ", ")
	}
	switch k.tag.Get("is") {
	case "absolute":
		if text != "" && !filepath.IsAbs(text) {
			return "must be an absolute path"
		}
	case "id":
		if !idForm.MatchString(text) {
			return "must be an id of letters, digits, -, _ and single dots between them"
		}
	}
	return ""
}

// compare orders a field and a bound from its tag. What is no number is below and
// above everything.
func compare(field reflect.Value, bound string) int {
	limit := reflect.New(field.Type()).Elem()
	if err := decode(limit, bound); err != nil {
		panic(fmt.Sprintf("config: bound %q: %v", bound, err))
	}
	if field.CanFloat() {
		switch a, b := field.Float(), limit.Float(); {
		case a >= b && a <= b:
			return 0
		case a > b:
			return 1
		}
		return -1
	}
	switch a, b := field.Int(), limit.Int(); {
	case a > b:
		return 1
	case a < b:
		return -1
	}
	return 0
}

// listenRule returns the rule that an address to listen on breaks, "" for none.
func listenRule(listen string, token bool) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "must be host:port, as in 127.0.0.1:7890"
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || strconv.FormatUint(n, 10) != port {
		return "must have a port from 0 to 65535"
	}
	addr, err := netip.ParseAddr(host)
	loopback := host == "localhost" || err == nil && addr.Unmap().IsLoopback()
	if !token && !loopback {
		return "must be a loopback address, as in 127.0.0.1:" + port + ", without a token; " +
			"to listen for other machines set auth.token_file, auth.token or " + EnvToken
	}
	return ""
}

// written returns a value as it stands in a file or the environment.
func written(field reflect.Value) string {
	if d, ok := field.Interface().(time.Duration); ok {
		return duration(d)
	}
	return fmt.Sprint(field.Interface())
}

// duration writes a time without the zeros of smaller units: 1m, not 1m0s.
func duration(d time.Duration) string {
	text := d.String()
	if short, ok := strings.CutSuffix(text, "m0s"); ok {
		text = short + "m"
	}
	if short, ok := strings.CutSuffix(text, "h0m"); ok {
		text = short + "h"
	}
	return text
}
