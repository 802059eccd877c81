package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Bytes is a size, written with a unit: 512KiB, 1MiB.
type Bytes int64

var units = []struct {
	suffix string
	factor int64
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// ParseBytes reads a size such as 16MiB.
func ParseBytes(s string) (Bytes, error) {
	for _, u := range units {
		if digits, ok := strings.CutSuffix(s, u.suffix); ok {
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 0 || n > (1<<40)/u.factor {
				break
			}
			return Bytes(n * u.factor), nil
		}
	}
	return 0, fmt.Errorf("%q is not a size such as 512KiB or 16MiB", s)
}

func (b Bytes) String() string {
	for _, u := range units {
		if int64(b) >= u.factor && int64(b)%u.factor == 0 {
			return strconv.FormatInt(int64(b)/u.factor, 10) + u.suffix
		}
	}
	return "0B"
}
