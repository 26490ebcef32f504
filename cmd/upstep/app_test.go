package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/journal"
	"github.com/upstep/upstep/playbooks"
	"github.com/upstep/upstep/source"
)

func TestExitCodesAndWhatIsSaid(t *testing.T) {
	closing := errors.New("close journal: disk is full")
	for name, c := range map[string]struct {
		err  error
		code int
		said string
	}{
		"nothing":                             {nil, exitDone, ""},
		"problems are shown where they occur": {source.Problems{{Message: "x"}}, exitInvalid, ""},
		"a code whose text was said":          {codeError{code: exitFailed}, exitFailed, ""},
		"a code with a text":                  {codeError{errors.New("stale"), exitStale}, exitStale, "upstep: stale\n"},
		"a mistake":                           {usageError{errors.New("wrong"), "say it so"}, exitInvalid, "upstep: wrong\n  hint: say it so\n"},
		"somebody else":                       {&journal.LockedError{}, exitStale, "upstep: the lock is just being taken by another upstep\n  hint: try again in a moment\n"},
		"what a hand changed":                 {fmt.Errorf("write: %w", &playbooks.EditedError{Folders: []string{"a.yml"}}), exitStale, "a.yml: "},
		"what is not closed after a failure":  {errors.Join(codeError{code: exitFailed}, closing), exitFailed, "upstep: close journal: disk is full\n"},
		"what is not closed after a mistake":  {errors.Join(usageError{errors.New("wrong"), "so"}, closing), exitInvalid, "upstep: wrong\nclose journal: disk is full\n  hint: so\n"},
		"what is not closed":                  {closing, exitUnexpected, "upstep: close journal: disk is full\n"},
	} {
		t.Run(name, func(t *testing.T) {
			var stderr bytes.Buffer
			a := &app{stderr: &stderr}
			require.Equal(t, c.code, a.exitCode(context.Background(), c.err))
			require.Contains(t, stderr.String(), c.said)
			require.Equal(t, c.said == "", stderr.Len() == 0, stderr.String())
		})
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	require.Equal(t, exitStopped, codeOf(gone, closing), "a signal is the cause of whatever it led to")
	require.Equal(t, exitDone, codeOf(gone, nil))
}

// TestReportsTellWhatIsNotClosed looks at a run that failed and whose journal then could
// not be closed: both stand in its report.
func TestReportsTellWhatIsNotClosed(t *testing.T) {
	rec := recorded(t, "failed")
	o := rec.play(nil, journal.Progress{}, runFlags{})
	s := o.report(errors.Join(o.err, errors.New("close journal: disk is full")))
	require.Equal(t, 1, s.Failures)
	require.Equal(t, 1, s.Errors)
	last := s.Suites[len(s.Suites)-1]
	require.Equal(t, "close journal: disk is full", last.Cases[0].Error.Message)
}
