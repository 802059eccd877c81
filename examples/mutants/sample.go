package main

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// sample draws n mutants: each package gets a share by how many it has, at least a few, and
// within a package they are spread over operators and files. What is left of each package,
// in the order it would have been drawn, stands in for mutants that do not compile.
func sample(all []*mutant, n int, seed uint64) (chosen []*mutant, spare map[string][]*mutant) {
	byPackage := map[string][]*mutant{}
	for _, m := range all {
		byPackage[m.pkg] = append(byPackage[m.pkg], m)
	}
	spare = map[string][]*mutant{}
	left, mutants := n, len(all)
	for _, pkg := range byWeight(byPackage) {
		drawn := spread(byPackage[pkg], seed)
		share := min(left, len(drawn), max((left*len(drawn)+mutants-1)/max(1, mutants), min(n/30, left)))
		left, mutants = left-share, mutants-len(drawn)
		chosen, spare[pkg] = append(chosen, drawn[:share]...), drawn[share:]
	}
	return chosen, spare
}

// byWeight is the packages, those with the fewest mutants first, so that they get theirs.
func byWeight(byPackage map[string][]*mutant) []string {
	return slices.SortedFunc(maps.Keys(byPackage), func(a, b string) int {
		return cmp.Or(cmp.Compare(len(byPackage[a]), len(byPackage[b])), cmp.Compare(a, b))
	})
}

// spread orders the mutants of a package so that any beginning of it has every operator,
// and as many files as it can. Each mutant has a place in line of its own, by its id and the
// seed, so that a change of the source draws few others.
func spread(mutants []*mutant, seed uint64) []*mutant {
	queues := map[string][]*mutant{}
	for _, m := range mutants {
		queues[m.operator] = append(queues[m.operator], m)
	}
	place := func(m *mutant) uint64 {
		h := fnv.New64a()
		fmt.Fprintf(h, "%d %s", seed, m.id)
		return h.Sum64() * 0x9e3779b97f4a7c15 // FNV alone leaves ids that differ in their last digit side by side
	}
	for _, queue := range queues {
		slices.SortFunc(queue, func(a, b *mutant) int { return cmp.Compare(place(a), place(b)) })
	}
	operators := slices.Sorted(maps.Keys(queues))
	used := map[string]int{} // by file
	var out []*mutant
	for len(out) < len(mutants) {
		for _, operator := range operators {
			queue := queues[operator]
			if len(queue) == 0 {
				continue
			}
			next := 0
			for i, m := range queue {
				if used[m.file] < used[queue[next].file] {
					next = i
				}
			}
			used[queue[next].file]++
			out = append(out, queue[next])
			queues[operator] = slices.Delete(queue, next, next+1)
		}
	}
	return out
}
