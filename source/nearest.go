package source

import (
	"strings"

	"github.com/agext/levenshtein"
)

// Nearest gives the candidate most like the word, or "" when none is near enough
// to be a likely slip of the fingers: one letter of three at most, and of a word of two
// none but their order. Ties go to the first by name.
func Nearest(word string, candidates []string) string {
	best, limit := "", len(word)/3
	lower := strings.ToLower(word)
	for _, c := range candidates {
		near := strings.ToLower(c)
		if c == word || !alike(lower, near, limit) {
			continue
		}
		d := levenshtein.Distance(lower, near, nil)
		if swapped(lower, near) {
			d = min(1, limit)
		}
		if d < limit || d == limit && (best == "" || c < best) {
			best, limit = c, d
		}
	}
	return best
}

// alike tells whether two words can be within a distance: it counts letters, which is
// much faster than the distance itself. Ten thousand services may be named wrong.
func alike(a, b string, limit int) bool {
	var count [256]int32
	for i := range len(a) {
		count[a[i]]++
	}
	missing := len(b)
	for i := range len(b) {
		if count[b[i]] > 0 {
			count[b[i]]--
			missing--
		}
	}
	return max(missing, len(a)-len(b)+missing) <= limit
}

// swapped tells whether two neighbouring letters are all that differs.
func swapped(a, b string) bool {
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	return len(a) == len(b) && i+1 < len(a) && a[i] == b[i+1] && a[i+1] == b[i] && a[i+2:] == b[i+2:]
}

// DidYouMean gives the hint for a misspelt word, or "" when nothing is near.
func DidYouMean(word string, candidates []string) string {
	if n := Nearest(word, candidates); n != "" {
		return didYouMean(n)
	}
	return ""
}

func didYouMean(word string) string { return `did you mean "` + word + `"?` }
