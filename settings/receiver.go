package settings

import (
	"slices"

	"github.com/upstep/upstep/source"
)

// kinds are the kinds of receivers.
func kinds() []string { return []string{"webhook", "command", "mail"} }

// Kind names what a receiver is.
func (r Receiver) Kind() string {
	switch {
	case r.Webhook != nil:
		return "webhook"
	case r.Mail != nil:
		return "mail"
	}
	return "command"
}

// receiver reads an element of receivers.
func (r reader) receiver(v source.Node, usual Receiver) []Receiver {
	const how = "write receivers: [{webhook: https://...}, {command: [...]}]"
	if v.Kind() != source.Map {
		r.sink.Errorf(v.Pos(), "a receiver must be a mapping, not %s", shape(v)).WithHint(how)
		return nil
	}
	f := source.ReadFields(v, "the receiver", r.sink, kinds()...)
	var out []Receiver
	for _, kind := range kinds() {
		if len(out) > 0 && f.Has(kind) {
			r.sink.Errorf(f.PosOf(kind), "a receiver is one of webhook, command, mail").WithHint("begin another with \"- \"")
		} else if f.Has(kind) {
			out = append(out, r.kind(kind, f.Get(kind), usual)...)
		}
	}
	if len(f.Keys()) == 0 && !slices.ContainsFunc(kinds(), f.Misspelt) {
		r.sink.Errorf(v.Pos(), "the receiver is none of webhook, command, mail").WithHint(how)
	}
	return out
}

// kind reads a receiver of a kind; nothing where it is none.
func (r reader) kind(kind string, v source.Node, usual Receiver) []Receiver {
	var out Receiver
	var ok bool
	switch kind {
	case "webhook":
		out, ok = r.webhook(v, usual)
	case "command":
		out, ok = r.command(v, usual)
	case "mail":
		out, ok = r.mail(v, usual)
	}
	if !ok {
		return nil
	}
	return []Receiver{out}
}

// command reads the words of a command, or a mapping.
func (r reader) command(v source.Node, usual Receiver) (Receiver, bool) {
	const how = "write command: [/usr/local/bin/tell, ops]; a shell is asked for as [sh, -c, TEXT]"
	argv := v
	out := usual
	if v.Kind() == source.Map {
		f := source.ReadFields(v, "the command", r.sink, "argv", "template", "timeout", "tries", "delay")
		out = r.patience(f, usual)
		out.Template = template(f, "template")
		if argv = f.Get("argv"); f.Lacks("argv") {
			r.sink.Errorf(v.Pos(), "the command has no argv").WithHint("add argv: [/usr/local/bin/tell, ops]")
			return out, false
		}
	}
	if argv.Kind() != source.List || argv.Len() == 0 {
		if argv.Exists() {
			r.sink.Errorf(argv.Pos(), "a command must be a list of words, not %s", shape(argv)).WithHint(how)
		}
		return out, false
	}
	var ok bool
	if out.Command, ok = r.words(argv, "a word of the command"); ok && out.Command[0] == "" {
		r.sink.Errorf(argv.Pos(), "the command has no name").WithHint(how)
		ok = false
	}
	return out, ok
}
