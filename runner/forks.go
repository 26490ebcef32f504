package runner

import "slices"

// forks gives a lane its share of the hosts that may be worked on at once: those of the
// plan, divided by the roles that may be at work beside it.
func (r *run) forks(l *lane) int {
	if r.Plan.Forks == 0 || len(l.plays) == 0 {
		return r.Plan.Forks
	}
	most := 1
	for _, st := range r.Plan.Stages {
		var books []string
		for _, p := range r.score.plays {
			if p.Stage == st.Name && !slices.Contains(books, p.book) {
				books = append(books, p.book)
			}
		}
		if slices.Contains(books, l.book) {
			most = max(most, len(books))
		}
	}
	if r.Parallelism > 0 {
		most = min(most, r.Parallelism)
	}
	return max(1, r.Plan.Forks/most)
}
