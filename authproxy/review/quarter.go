package review

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// quarters are as people write them.
var quarters = regexp.MustCompile(`^([0-9]{4})-Q([1-4])$`)

// Quarter is the time of a quarter such as 2026-Q3, in the zone of now, with its name; without a
// name of the last whole one.
func Quarter(name string, now time.Time) (_ string, begin, end time.Time, err error) {
	if name == "" {
		last := time.Date(now.Year(), now.Month()-(now.Month()-1)%3-3, 1, 0, 0, 0, 0, now.Location())
		name = fmt.Sprintf("%d-Q%d", last.Year(), (last.Month()-1)/3+1)
	}
	parts := quarters.FindStringSubmatch(name)
	if parts == nil {
		return "", begin, end, fmt.Errorf("%q is no quarter: expected one such as 2026-Q3", name)
	}
	year, _ := strconv.Atoi(parts[1])
	number, _ := strconv.Atoi(parts[2])
	begin = time.Date(year, time.Month(3*number-2), 1, 0, 0, 0, 0, now.Location())
	if begin.After(now) {
		return "", begin, end, fmt.Errorf("%s has not begun", name)
	}
	return name, begin, begin.AddDate(0, 3, 0), nil
}

// names can stand in commands, addresses and files as they are. The longest that we make is a quarter, a dot and the
// name of a server, which has 63 characters at most.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,70}$`)

// ValidName returns an error for what no review can be called.
func ValidName(name string) error {
	if !names.MatchString(name) {
		return fmt.Errorf("expected at most 71 letters, digits, dots, hyphens and underscores, found %q", name)
	}
	return nil
}
