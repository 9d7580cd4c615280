package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Ports is a range of ports, the first and the last, written as in 50000-50099. The zero value is none.
type Ports [2]uint16

var errPorts = errors.New("must be two ports from 1 to 65535, the lower one first, as in 50000-50099")

// ParsePorts reads a range; "" is none.
func ParsePorts(text string) (Ports, error) {
	if text == "" {
		return Ports{}, nil
	}
	first, last, _ := strings.Cut(text, "-")
	low, errLow := strconv.ParseUint(first, 10, 16)
	high, errHigh := strconv.ParseUint(last, 10, 16)
	if errLow != nil || errHigh != nil || low == 0 || low > high {
		return Ports{}, errPorts
	}
	return Ports{uint16(low), uint16(high)}, nil
}

// count returns how many ports there are in the range.
func (p Ports) count() int { return int(p[1]) - int(p[0]) + 1 }

// String returns the range as ParsePorts reads it.
func (p Ports) String() string {
	if p == (Ports{}) {
		return ""
	}
	return fmt.Sprintf("%d-%d", p[0], p[1])
}
