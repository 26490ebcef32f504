package ansible

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/upstep/upstep/event"
)

// Answers is what a playbook that only asks has learned.
type Answers struct {
	Values map[string]json.RawMessage // by host, the variable that was asked for
	Lost   map[string]string          // by host, why there is no answer
}

// Ask runs a playbook that only asks, from its text, and gives what it registered under a
// name on each host. The error is for what kept it from running; hosts that failed or do
// not answer are Lost.
func (t *Tool) Ask(ctx context.Context, inventory []string, book []byte, name string) (out Answers, err error) {
	dir, err := os.MkdirTemp("", "upstep-ask-")
	if err != nil {
		return out, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	const file = "ask.yml"
	if err := os.WriteFile(filepath.Join(dir, file), book, 0o600); err != nil {
		return out, err
	}
	p, err := t.Start(ctx, Job{Folder: filepath.Join(dir, "job"), Tree: dir, Book: file, Inventory: inventory})
	if err != nil {
		return out, err
	}
	defer func() { _ = p.Close() }()
	out = Answers{Values: map[string]json.RawMessage{}, Lost: map[string]string{}}
	for {
		e, _, err := p.Next(ctx)
		switch {
		case errors.Is(err, io.EOF):
			if o := p.Outcome(); !o.Known && len(out.Values)+len(out.Lost) == 0 {
				return out, fmt.Errorf("ansible-playbook did not come to its end: %s", o.Output)
			}
			return out, nil
		case err != nil:
			return out, errors.Join(err, p.Terminate(t.grace))
		}
		switch e.Kind { //nolint:exhaustive // the others say nothing of values
		case event.Gate:
			if err := p.Answer(event.Answer{Do: event.Go}); err != nil {
				return out, err
			}
		case event.Failed, event.Unreachable:
			if !e.Ignored {
				out.Lost[e.Host] = e.Message
			}
		case event.Vars:
			for _, v := range e.Values {
				if v.Name == name {
					out.Values[v.Host] = v.JSON
				}
			}
		}
	}
}
