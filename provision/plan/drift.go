package plan

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// done are the actions in the words of what was to be done.
var done = map[Action]string{Create: "created", Update: "updated", Restart: "restarted", Delete: "deleted"}

// Drift tells in words how what is to be done now is not what a saved plan says.
// Nothing means that it is the same. Things that are as wanted in both are not
// compared, and reasons only follow from what is.
func Drift(saved, now Plan) ([]string, error) {
	now, err := asSaved(now)
	if err != nil {
		return nil, err
	}
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	switch {
	case saved.Standing != now.Standing:
		say("the cluster: was %s, and is %s now", plain(saved.Standing), now.Standing)
	case saved.UID != now.UID:
		say("the cluster: was %s, and is %s now: another of the same name", plain(saved.UID), plain(now.UID))
	}
	was, is := byID(saved), byID(now)
	for _, w := range saved.Pending() {
		i, there := is[w.ID]
		switch words := parted(w, i); {
		case !there:
			say("%s: was to be %s, and is not asked for now: the inventory has it no longer, or its host is away", w.ID, done[w.Action])
		case i.Action == NoOp:
			say("%s: was to be %s, and is as wanted now", w.ID, done[w.Action])
		case len(words) > 0:
			say("%s: %s", w.ID, strings.Join(words, "; "))
		}
	}
	for _, i := range now.Pending() {
		switch w, there := was[i.ID]; {
		case !there:
			say("%s: was not asked for, and is to be %s now: %s", i.ID, done[i.Action], i.Reason)
		case w.Action == NoOp:
			say("%s: was as wanted, and is to be %s now: %s", i.ID, done[i.Action], i.Reason)
		}
	}
	return out, nil
}

// asSaved is a plan as it would be read again: bytes that are no text, which a
// host may well have answered, do not survive in JSON.
func asSaved(p Plan) (Plan, error) {
	text, err := p.Encode()
	if err != nil {
		return Plan{}, err
	}
	return Decode(text)
}

func byID(p Plan) map[ID]Change {
	m := make(map[ID]Change, len(p.Changes))
	for _, c := range p.Changes {
		m[c.ID] = c
	}
	return m
}

// parted tells how two pending changes of one thing differ.
func parted(was, is Change) []string {
	var words []string
	if was.Action != is.Action {
		words = append(words, fmt.Sprintf("was to be %s, and is to be %s now", done[was.Action], done[is.Action]))
	}
	if !was.Want.Equal(is.Want) {
		words = append(words, "is wanted otherwise: "+moved(was.Want, is.Want))
	}
	if was.Content != is.Content {
		words = append(words, "is wanted with another content")
	}
	// How a condition looks while it is not met changes by itself.
	if !is.Condition && !was.Before.Equal(is.Before) {
		words = append(words, "was changed meanwhile: "+moved(was.Before, is.Before))
	}
	return words
}

// moved tells how one state became another.
func moved(was, is State) string {
	switch {
	case was == nil:
		return "it was absent, and is there"
	case is == nil:
		return "it was there, and is absent"
	case was.IsUnknown():
		return "it could not be seen yet, and is there"
	case is.IsUnknown():
		return "it was there, and cannot be seen"
	}
	var words []string
	for _, k := range slices.Sorted(maps.Keys(merged(was, is))) {
		w, had := was[k]
		i, has := is[k]
		switch {
		case !had:
			words = append(words, fmt.Sprintf("%s is %s, and was not there", plain(k), plain(short(i))))
		case !has:
			words = append(words, fmt.Sprintf("%s was %s, and is not there", plain(k), plain(short(w))))
		case w != i:
			words = append(words, fmt.Sprintf("%s was %s, and is %s", plain(k), plain(short(w)), plain(short(i))))
		}
	}
	return strings.Join(words, ", ")
}
