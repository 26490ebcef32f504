package ansible

import (
	"regexp"
	"strconv"
	"strings"
)

// Ansible's messages come in two forms. Up to ansible-core 2.18:
//
//	ERROR! MESSAGE
//
//	The error appears to be in 'PATH': line 5, column 3, but may ...
//
// and since 2.19, with an Origin for each error of a chain, the cause last:
//
//	[ERROR]: MESSAGE
//	Origin: PATH:5:3
var (
	blockStart = regexp.MustCompile(`^(?:ERROR! |\[ERROR\]: |ERROR: )`)
	otherStart = regexp.MustCompile(`^\[(?:[A-Z]+ )?WARNING\]: `)
	oldPlace   = regexp.MustCompile(`The error appears to (?:be|have been) in '(.*?)': line (\d+), column (\d+)`)
	newPlace   = regexp.MustCompile(`(?m)^Origin: (/.*?)(?::(\d+))?(?::(\d+))?(?: \(.*\))?$`)
	blanks     = regexp.MustCompile(`\s+`)
	bothTried  = regexp.MustCompile(`^We were unable to read either as JSON nor YAML.*?(?:Syntax Error while loading YAML\.|$)`)
	unknown    = regexp.MustCompile(`couldn't resolve module/action '([^']+)'`)
	missing    = regexp.MustCompile(`Could not find or access '([^']+)'`)
	noRole     = regexp.MustCompile(`^[Tt](he role '[^']+' was not found) in:? .*`)
	freeText   = regexp.MustCompile(`^this task '([^']+)' has extra params`)
)

// said is what one error message tells.
type said struct {
	message      string
	path         string // absolute; "" when the message names no place
	line, column int
	yaml         bool // the file can't be read as YAML
}

// errorBlocks gives the errors on standard error, without the warnings between them.
func errorBlocks(stderr string) []string {
	errs, _ := blocks(stderr)
	return errs
}

// blocks cuts standard error into errors and warnings, each from its mark to the next.
func blocks(stderr string) (errs, warnings []string) {
	at, from := 0, 0
	var into *[]string
	cut := func(next *[]string, mark string) {
		if into != nil {
			*into = append(*into, stderr[from:at])
		}
		into, from = next, at+len(mark)
	}
	for line := range strings.Lines(stderr) {
		if mark := blockStart.FindString(line); mark != "" {
			cut(&errs, mark)
		} else if mark := otherStart.FindString(line); mark != "" {
			cut(&warnings, mark)
		}
		at += len(line)
	}
	cut(nil, "")
	return errs, warnings
}

// firstParagraph gives what a message says at first, on one line, without the chain of
// causes that repeats it.
func firstParagraph(text string) string {
	first, _, _ := strings.Cut(text, "\n\n")
	first, _, _ = strings.Cut(first, "\nOrigin: ")
	return joined(first)
}

// joined gives a text on one line: Ansible wraps warnings at the width of a terminal.
func joined(text string) string { return strings.TrimSpace(blanks.ReplaceAllString(text, " ")) }

// parseBlock reads one error in either form.
func parseBlock(block string) said {
	s := place(block)
	if at := strings.Index(block, "The error appears to "); at >= 0 {
		block = block[:at]
	} else if loc := newPlace.FindStringIndex(block); loc != nil {
		block = block[:loc[0]]
	}
	paragraph := block
	if !strings.Contains(block, "Syntax Error while loading YAML") {
		paragraph, _, _ = strings.Cut(strings.TrimSpace(block), "\n\n")
	}
	s.message, s.yaml = plain(paragraph)
	return s
}

// place finds where the error is: the old form names one place, in the new one the
// last with a file is the cause.
func place(text string) said {
	m := oldPlace.FindStringSubmatch(text)
	if m == nil {
		all := newPlace.FindAllStringSubmatch(text, -1)
		if len(all) == 0 {
			return said{}
		}
		m = all[len(all)-1]
	}
	line, _ := strconv.Atoi(m[2])
	column, _ := strconv.Atoi(m[3])
	return said{path: m[1], line: line, column: column}
}

// plain gives a message on one line, without Ansible's prefaces and the full stop.
func plain(text string) (message string, yaml bool) {
	text = joined(text)
	if cut := bothTried.ReplaceAllString(text, ""); cut != text {
		text, yaml = "not valid YAML: "+strings.TrimSpace(cut), true
	} else if rest, ok := cutAny(text, "Syntax Error while loading YAML. ", "YAML parsing failed: "); ok {
		text, yaml = "not valid YAML: "+rest, true
	}
	return strings.TrimRight(text, ". "), yaml
}

func cutAny(s string, prefixes ...string) (string, bool) {
	for _, p := range prefixes {
		if rest, ok := strings.CutPrefix(s, p); ok {
			return rest, true
		}
	}
	return s, false
}
