package source

import (
	"slices"
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest gives the candidate most like the word, or "" when none is near enough
// to be a likely slip of the fingers. Ties go to the first by name.
func Nearest(word string, candidates []string) string {
	best, bestDist := "", max(1, len(word)/3)+1
	sorted := slices.Sorted(slices.Values(candidates))
	for _, c := range sorted {
		if c == word {
			continue
		}
		if strings.EqualFold(c, word) {
			return c
		}
		if d := levenshtein.Distance(strings.ToLower(word), strings.ToLower(c), nil); d < bestDist {
			best, bestDist = c, d
		}
	}
	return best
}

// DidYouMean gives the hint for a misspelt word, or "" when nothing is near.
func DidYouMean(word string, candidates []string) string {
	if n := Nearest(word, candidates); n != "" {
		return `did you mean "` + n + `"?`
	}
	return ""
}
