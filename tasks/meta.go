package tasks

import (
	"strings"

	"github.com/upstep/upstep/source"
)

// isMeta tells whether a key of a task calls the module meta, and with what.
func isMeta(key string, v source.Node) (word string, is bool) {
	switch key {
	case "meta", "ansible.builtin.meta", "ansible.legacy.meta":
		return strings.TrimSpace(v.Text()), true
	case "action", "local_action":
		words := strings.Fields(v.Text())
		if len(words) != 2 {
			return "", false
		}
		_, is = isMeta(words[0], source.Node{})
		return words[1], is
	}
	return "", false
}

// meta reports a call of meta after which Ansible leaves out, with exit code 0, what
// makes an upgrade safe: health gates, the return to traffic, the assertion that no host
// was lost. alone says that the tasks are a play of their own, which they may end.
func meta(key string, v source.Node, alone bool, sink *source.Sink) {
	word, is := isMeta(key, v)
	if !is {
		return
	}
	switch word {
	case "end_play", "end_batch":
		if !alone {
			sink.Errorf(v.Pos(), "meta: %s leaves out all that comes after it in the play: other services' tasks, health gates, the return to traffic", word).
				WithHint("put what may be left out into a block with when:; to stop the upgrade, use ansible.builtin.fail")
		}
	case "clear_host_errors":
		sink.Errorf(v.Pos(), "meta: clear_host_errors hides hosts that failed from the gates, and the upgrade would go on").
			WithHint("mend what fails in a rescue: of its own block, or say failed_when:")
	case "end_host":
		if !alone {
			sink.Warnf(v.Pos(), "meta: end_host takes the host out of the rest of the play: on a rolling role it counts as failed, on another it is back in the next step").
				WithHint("put what may be left out into a block with when:")
		}
	}
}

// Included looks at a file that a service's tasks take in, and gives the handlers that
// it notifies. It is not read as lists of tasks are: it need not hold any.
func Included(root source.Node, sink *source.Sink) (notifies []string) {
	for n := range root.Elements() {
		for k, v := range n.Pairs() {
			switch key := k.Text(); key {
			case "block", "rescue", "always":
				notifies = append(notifies, Included(v, sink)...)
			case "notify":
				for _, name := range scalars(v) {
					notifies = append(notifies, name.Text())
				}
			default:
				meta(key, v, false, sink)
			}
		}
	}
	return notifies
}
