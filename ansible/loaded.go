package ansible

import (
	"io"
	"os"
	"path/filepath"
	"regexp"
	"time"
)

// Ansible only warns when it can't load a plugin, and then runs every play at once. So
// until a process has told something, what it prints is looked at, too.
const (
	lookTime  = 50 * time.Millisecond
	looked    = 64 << 10 // of the output: warnings come first
	lostGrace = time.Second
)

var (
	// The words of all versions; behind them stands the reason.
	notLoaded = regexp.MustCompile(`^(?:Skipping plugin \(.*?upstep\.py\),? |Skipping callback '(?:\w+\.)*upstep', |Failed to load callback plugin '(?:\w+\.)*upstep'[:.] ?)(.*)$`)
	// What callbacks for people print once a play is on, after the gate would have been told.
	playRuns = regexp.MustCompile(`(?m)^(?:TASK|HANDLER|RUNNING HANDLER) \[|^PLAY RECAP|^ *"plays": \[`)
)

// unheld tells whether the process runs, or ran, plays without the callback. It is for
// processes that have told nothing; over says that this one has ended.
func (p *Process) unheld(over bool) error {
	text := firstOf(filepath.Join(p.folder, outputFile), looked)
	e := &NotLoadedError{}
	_, warnings := blocks(text)
	for _, w := range warnings {
		if m := notLoaded.FindStringSubmatch(firstParagraph(w)); m != nil {
			e.Why = m[1]
		}
	}
	ended := over && p.leader != nil && p.leader.Cmd != nil && p.leader.ProcessState.Success()
	if e.Why == "" && !ended && !playRuns.MatchString(text) {
		return nil
	}
	// Looked at last: what tells of itself does so before it prints a task.
	if info, err := p.events.Stat(); err != nil || info.Size() > 0 {
		return nil //nolint:nilerr // reading the events tells it
	}
	return e
}

// firstOf gives the beginning of a file.
func firstOf(name string, most int64) string {
	f, err := os.Open(name)
	if err != nil {
		return ""
	}
	defer func() { _ = f.Close() }()
	text, _ := io.ReadAll(io.LimitReader(f, most))
	return string(text)
}
