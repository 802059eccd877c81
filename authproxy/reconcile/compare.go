package reconcile

import (
	"cmp"
	"slices"
	"time"
)

// What a file may be at most. What is larger is refused, with what to do.
const (
	MaxBytes   = 4 << 30
	MaxLine    = 8 << 20 // bytes of one line of JSON, or of one row
	MaxEvents  = 1_000_000
	MaxColumns = 500
	MaxShown   = 1000 // differences of one kind that are shown; all are counted
)

// bounds are these; tests have smaller ones.
var bounds = limits{MaxBytes, MaxLine, MaxEvents, MaxColumns, MaxShown}

type limits struct {
	bytes                        int64
	line, events, columns, shown int
}

// Call is one call as one of the logs has it.
type Call struct {
	At   time.Time `json:"at"`
	User string    `json:"user"` // by which calls are compared: the Salesforce user id, or what stands for it
	Name string    `json:"name"` // of the user, as the log has it
	Tool string    `json:"tool,omitempty"`
	// Ref finds it again: the number of an entry of ours, the id of an event, the line of a file.
	Ref string `json:"ref"`
	// About is what else the log says of it: the app, the method, the object.
	About string `json:"about,omitempty"`
}

// Difference is what one log has and the other lacks, in the order of time.
type Difference struct {
	Matched   int `json:"matched"`
	OnlyThere int `json:"only_there"`
	OnlyHere  int `json:"only_here"`
	// There and Here are the first of them.
	There []Call `json:"there"`
	Here  []Call `json:"here"`
}

func (d *Difference) there(c Call) {
	if d.OnlyThere++; len(d.There) < bounds.shown {
		d.There = append(d.There, c)
	}
}

func (d *Difference) here(c Call) {
	if d.OnlyHere++; len(d.Here) < bounds.shown {
		d.Here = append(d.Here, c)
	}
}

func byTime(a, b Call) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Ref, b.Ref)) }

// key is what two calls must have alike.
type key struct{ user, tool string }

// Within says which calls can be one, and of which time their log is.
type Within struct {
	Apart time.Duration // the times of one call, at most
	// From and Until are the first and last event of their log: what we did before and after can be
	// in another file. Zero times are no bounds.
	From, Until time.Time
}

// has says whether their log should have a call of ours of that time.
func (w Within) has(at time.Time) bool {
	return !at.Before(w.From) && (w.Until.IsZero() || !at.After(w.Until))
}

// Pair matches each call with at most one: of the same user and tool, and near enough. In the
// order of time the first that fits is taken, which leaves no more unmatched than any other way.
func Pair(theirs, ours []Call, w Within) Difference {
	d := Difference{There: []Call{}, Here: []Call{}}
	theirs, ours = slices.Clone(theirs), slices.Clone(ours)
	slices.SortFunc(theirs, byTime)
	slices.SortFunc(ours, byTime)
	waiting := map[key][]int{} // ours that are not matched, by key
	for i, c := range ours {
		k := key{c.User, c.Tool}
		waiting[k] = append(waiting[k], i)
	}
	matched := make([]bool, len(ours))
	for _, c := range theirs {
		k := key{c.User, c.Tool}
		queue := waiting[k]
		for len(queue) > 0 && c.At.Sub(ours[queue[0]].At) > w.Apart { // too old for this one and all that come
			queue = queue[1:]
		}
		if len(queue) > 0 && ours[queue[0]].At.Sub(c.At) <= w.Apart {
			matched[queue[0]] = true
			queue = queue[1:]
			d.Matched++
		} else {
			d.there(c)
		}
		waiting[k] = queue
	}
	for i, c := range ours {
		if !matched[i] && w.has(c.At) {
			d.here(c)
		}
	}
	return d
}

// Cover explains each request there by something that we did for the same user, near enough;
// several may have the same. Of our calls those are lacking there near which there is no
// request.
func Cover(theirs, did, ours []Call, w Within) Difference {
	d := Difference{There: []Call{}, Here: []Call{}}
	theirs, did, ours = slices.Clone(theirs), slices.Clone(did), slices.Clone(ours)
	for _, all := range [][]Call{theirs, did, ours} {
		slices.SortFunc(all, byTime)
	}
	near := func(of []Call) func(Call) bool {
		times := map[string][]time.Time{}
		for _, c := range of {
			times[c.User] = append(times[c.User], c.At)
		}
		return func(c Call) bool {
			all := times[c.User]
			i, _ := slices.BinarySearchFunc(all, c.At.Add(-w.Apart), time.Time.Compare)
			return i < len(all) && all[i].Sub(c.At) <= w.Apart
		}
	}
	weHave, theyHave := near(did), near(theirs)
	for _, c := range theirs {
		if weHave(c) {
			d.Matched++
		} else {
			d.there(c)
		}
	}
	for _, c := range ours {
		if !theyHave(c) && w.has(c.At) {
			d.here(c)
		}
	}
	return d
}
