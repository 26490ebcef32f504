package roles

import (
	"regexp"
	"strconv"

	"github.com/upstep/upstep/source"
)

var sizeText = regexp.MustCompile(`^(\d{1,9})(%)?$`)

// ParseSize reads 3 or "10%".
func ParseSize(s string) (Size, bool) {
	m := sizeText.FindStringSubmatch(s)
	if m == nil {
		return Size{}, false
	}
	n, err := strconv.Atoi(m[1])
	return Size{N: n, Percent: m[2] != ""}, err == nil
}

// String writes the size as it is read.
func (s Size) String() string {
	if s.Percent {
		return strconv.Itoa(s.N) + "%"
	}
	return strconv.Itoa(s.N)
}

// Of gives the number of hosts out of total: a percentage rounds up.
func (s Size) Of(total int) int {
	if !s.Percent {
		return s.N
	}
	return (total*s.N + 99) / 100
}

// AtMost gives how many hosts out of total are not more than the size: a percentage
// rounds down.
func (s Size) AtMost(total int) int {
	if !s.Percent {
		return s.N
	}
	return total * s.N / 100
}

// Canary gives how many of total hosts a percentage takes: rounded up, never 0.
func Canary(total, percentage int) int { return Size{N: percentage, Percent: true}.Of(total) }

// Batches cuts hosts into batches of the sizes; the last size repeats.
func Batches(hosts []string, sizes []Size) [][]string {
	total := len(hosts)
	var out [][]string
	for i := 0; len(hosts) > 0; i++ {
		n := min(len(hosts), max(1, sizes[min(i, len(sizes)-1)].Of(total)))
		out = append(out, hosts[:n:n])
		hosts = hosts[n:]
	}
	return out
}

// readSize reads a size of at least low hosts; a percentage must be within 1 and 100
// (0 and 100 where low is 0).
func readSize(v source.Node, what string, low int, sink *source.Sink) (Size, bool) {
	s, ok := ParseSize(v.Text())
	switch {
	case !ok || v.Kind() != source.Scalar:
		sink.Errorf(v.Pos(), "%s must be a number of hosts or a percentage, not %q", what, v.Text()).WithHint(`write 2 or "25%"`)
	case s.Percent && s.N > 100:
		sink.Errorf(v.Pos(), "%s of %s is more than all hosts", what, s).WithHint("percentages go up to 100%")
	case s.N < low:
		sink.Errorf(v.Pos(), "%s of %s would take no host", what, s).WithHint("write 1 or more")
	default:
		return s, true
	}
	return Size{}, false
}
