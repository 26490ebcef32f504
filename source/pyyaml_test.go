package source

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type pyCut struct {
	Kind  string `json:"kind"`
	Path  []int  `json:"path"`
	Index int    `json:"index"`
	Text  string `json:"text"`
}

type pySample struct {
	Name string  `json:"name"`
	Text string  `json:"text"`
	Cuts []pyCut `json:"cuts"`
}

// pyYAML compares by PyYAML and gives the differences, and notes on what it cannot
// read. "fast" leaves out the reader that is written in Python: Ansible has the other.
func pyYAML(t *testing.T, samples []pySample, args ...string) (differences, notes []string) {
	t.Helper()
	python := "/usr/bin/python3" // the one that Ansible's package brings
	if err := exec.CommandContext(t.Context(), python, "-c", "import yaml").Run(); err != nil {
		t.Skipf("no PyYAML for %s: meaning is not compared by it", python)
	}
	in, err := json.Marshal(samples)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), python, append([]string{"testdata/same.py"}, args...)...)
	cmd.Stdin = bytes.NewReader(in)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	for line := range strings.Lines(string(out)) {
		if note, is := strings.CutPrefix(line, "note: "); is {
			notes = append(notes, strings.TrimSpace(note))
		} else {
			differences = append(differences, line)
		}
	}
	return differences, notes
}

func TestEveryCutMeansTheSameToPyYAML(t *testing.T) {
	var in []pySample
	for name, text := range samples() {
		top, _ := parseSample(t, text)
		s := pySample{Name: name, Text: text}
		for _, p := range parts(top) {
			s.Cuts = append(s.Cuts, pyCut{p.kind, append([]int{}, p.path...), p.index, p.text})
		}
		in = append(in, s)
	}
	differences, notes := pyYAML(t, in)
	for _, n := range notes {
		t.Log(n)
	}
	require.Less(t, len(notes), 12)
	require.Empty(t, strings.Join(differences, ""))
}
