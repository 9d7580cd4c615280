package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/upscaled-media/upscaled/server/auth"
)

var (
	errText     = errors.New("must be text; put quotes around it where it looks like something else")
	errDuration = errors.New("must be a time with its unit, as in 10s")
	errBool     = errors.New("must be true or false")
	errInt      = errors.New("must be a whole number")
	errFloat    = errors.New("must be a number")
	errList     = errors.New("must be a list")
)

// decode sets a field from what a source has: any of YAML's types from a file,
// text from the environment and the command line. This is the only place where
// text becomes anything else. The error is a rule.
func decode(field reflect.Value, value any) (err error) {
	switch to := field.Addr().Interface().(type) {
	case *string:
		*to, err = decodeText(value, func(text string) (string, error) { return text, nil }, errText)
	case *auth.Token:
		*to, err = decodeText(value, auth.ParseToken, errText)
	case *auth.Secret:
		*to, err = decodeText(value, auth.ParseSecret, errText)
	case *bool:
		*to, err = decodeBool(value)
	case *slog.Level:
		*to, err = decodeText(value, parseLevel, errText)
	case *time.Duration:
		*to, err = decodeText(value, parseDuration, errDuration)
	case *Size:
		*to, err = decodeText(value, ParseSize, errSize)
	case *int:
		*to, err = decodeInt(value)
	case *float64:
		*to, err = decodeFloat(value)
	case *[]string:
		*to, err = decodeList(value, parseHost)
	case *Names:
		*to, err = decodeList(value, func(text string) (string, error) { return text, nil })
	case *[]auth.Origin:
		*to, err = decodeList(value, auth.ParseOrigin)
	case *[]netip.Prefix:
		*to, err = decodeList(value, parsePrefix)
	case *[]netip.Addr:
		*to, err = decodeList(value, parseAddress)
	case *Ports:
		*to, err = decodeText(value, ParsePorts, errPorts)
	case *[]Root:
		*to, err = decodeRoots(value)
	default:
		panic(fmt.Sprintf("config: no decoder for %s", field.Type()))
	}
	return err
}

func decodeText[T any](value any, parse func(string) (T, error), otherwise error) (T, error) {
	text, ok := value.(string)
	if !ok {
		var zero T
		return zero, otherwise
	}
	return parse(text)
}

func decodeInt(value any) (int, error) {
	switch value := value.(type) {
	case int:
		return value, nil
	case string:
		if n, err := strconv.Atoi(value); err == nil {
			return n, nil
		}
	}
	return 0, errInt
}

func decodeBool(value any) (bool, error) {
	switch value {
	case true, "true":
		return true, nil
	case false, "false":
		return false, nil
	}
	return false, errBool
}

func decodeFloat(value any) (float64, error) {
	switch value := value.(type) {
	case int:
		return float64(value), nil
	case float64:
		return value, nil
	case string:
		if f, err := strconv.ParseFloat(value, 64); err == nil {
			return f, nil
		}
	}
	return 0, errFloat
}

// decodeList reads a list of a file, or text with commas between its entries.
func decodeList[T any](value any, parse func(string) (T, error)) ([]T, error) {
	var entries []any
	switch value := value.(type) {
	case string:
		for _, entry := range splitList(value) {
			entries = append(entries, entry)
		}
	case []any:
		entries = value
	default:
		return nil, errList
	}
	var list []T
	for _, entry := range entries {
		parsed, err := decodeText(entry, parse, errText)
		if err != nil {
			return nil, fmt.Errorf("entry %s: %w", shown(entry), err)
		}
		list = append(list, parsed)
	}
	return list, nil
}

// splitList splits text at its commas; "" is an empty list.
func splitList(text string) []string {
	if text == "" {
		return nil
	}
	entries := strings.Split(text, ",")
	for i := range entries {
		entries[i] = strings.TrimSpace(entries[i])
	}
	return entries
}

func parseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, errDuration
	}
	return d, nil
}

// parseLevel reads the four names that are documented; slog's own reader takes
// more, as in info+3.
func parseLevel(text string) (slog.Level, error) {
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if text == strings.ToLower(level.String()) {
			return level, nil
		}
	}
	return 0, errors.New("must be one of debug, info, warn, error")
}

// parseHost reads a host with or without a port; it is an origin without its scheme.
func parseHost(text string) (string, error) {
	origin, err := auth.ParseOrigin("host://" + text)
	if err != nil {
		return "", errors.New("must be a host or host:port, without scheme, path and wildcards")
	}
	return strings.TrimPrefix(string(origin), "host://"), nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	prefix, err := netip.ParsePrefix(text)
	if err != nil || prefix != prefix.Masked() {
		return netip.Prefix{}, errors.New("must be a network, as in 127.0.0.1/32 or 10.0.0.0/8")
	}
	return prefix, nil
}

func parseAddress(text string) (netip.Addr, error) {
	addr, err := netip.ParseAddr(text)
	if err != nil || addr.Zone() != "" || addr.IsUnspecified() || addr.IsMulticast() {
		return netip.Addr{}, errors.New("must be an IP address of one machine, as in 192.168.1.10")
	}
	return addr.Unmap(), nil
}
