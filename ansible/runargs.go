package ansible

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// runOptions are the options of ansible-playbook that a run passes on.
func runOptions() (flags []string, values taken) {
	flags = []string{
		"-b", "--become", "-C", "--check", "-D", "--diff", "--force-handlers", "--flush-cache",
		"-v", "-vv", "-vvv", "-vvvv", "-vvvvv", "-vvvvvv", "--verbose",
	}
	values = taken{
		short: []string{"-e", "-f", "-u", "-c", "-T", "-M", "-t", "-l"},
		long: []string{
			"--extra-vars", "--forks", "--user", "--connection", "--timeout", "--module-path", "--tags", "--skip-tags",
			"--limit", "--private-key", "--key-file", "--ssh-common-args", "--sftp-extra-args", "--scp-extra-args",
			"--ssh-extra-args", "--become-method", "--become-user", "--become-password-file", "--become-pass-file",
			"--connection-password-file", "--conn-pass-file", "--vault-id", "--vault-password-file", "--vault-pass-file",
		},
	}
	return flags, values
}

// asking are the options that need a terminal.
func asking() []string {
	return []string{
		"-J", "--ask-vault-pass", "--ask-vault-password", "-k", "--ask-pass", "-K", "--ask-become-pass", "--step",
	}
}

// runArgs picks from the user's options those that ansible-playbook knows. Extra
// variables that stand in the arguments, where every user of the machine could see
// them, are put into files of the folder; removed names those.
func runArgs(args []string, folder string) (out, removed []string, err error) {
	flags, values := runOptions()
	for i := 0; i < len(args); i++ {
		a := args[i]
		if slices.Contains(asking(), a) {
			return nil, removed, errAsks
		}
		if slices.Contains(flags, a) {
			out = append(out, a)
			continue
		}
		name, value, found := "", "", false
		switch long, rest, joined := strings.Cut(a, "="); {
		case slices.Contains(values.short, a) || slices.Contains(values.long, a):
			if i+1 >= len(args) {
				return nil, removed, fmt.Errorf("option %s lacks its value", a)
			}
			i++
			name, value, found = a, args[i], true
		case joined && slices.Contains(values.long, long):
			name, value, found = long, rest, true
		case len(a) > 2 && slices.Contains(values.short, a[:2]):
			name, value, found = a[:2], a[2:], true
		}
		if !found {
			continue
		}
		if name == "-e" || name == "--extra-vars" {
			if value, err = hide(value, folder, len(removed), &removed); err != nil {
				return nil, removed, err
			}
			name = "--extra-vars"
		}
		if strings.HasPrefix(name, "--") {
			out = append(out, name+"="+value)
		} else {
			out = append(out, name, value)
		}
	}
	return out, removed, nil
}

// hide puts extra variables into a file, which is read as the text itself would be.
func hide(value, folder string, n int, removed *[]string) (string, error) {
	if value == "" || strings.ContainsAny(value[:1], "@/.") {
		return value, nil // a file, or Ansible's own complaint
	}
	text := []byte(value)
	if value[0] != '{' && value[0] != '[' {
		vars, err := keyValues(value)
		if err != nil {
			return "", err
		}
		if text, err = json.Marshal(vars); err != nil {
			return "", fmt.Errorf("extra vars: %w", err)
		}
	}
	name := filepath.Join(folder, varsPrefix+strconv.Itoa(n)+".yml")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return "", fmt.Errorf("extra vars: %w", err)
	}
	*removed = append(*removed, name)
	return "@" + name, nil
}

var errUnbalanced = errors.New("extra vars: a quote or a Jinja block is not closed")

// keyValues reads k=v pairs as Ansible does: parse_kv of its parsing/splitter.py.
func keyValues(text string) (map[string]string, error) {
	words, err := splitArgs(text)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var raw []string
	for _, word := range words {
		w := decodeEscapes(word)
		at := equals(w)
		switch {
		case at > 0:
			out[strings.TrimSpace(w[:at])] = unquote(strings.TrimSpace(w[at+1:]))
		case strings.Contains(w, "="):
			raw = append(raw, strings.ReplaceAll(w, `\=`, "="))
		default:
			raw = append(raw, word)
		}
	}
	if len(raw) > 0 {
		joined := ""
		for _, r := range raw {
			if joined != "" && !strings.HasSuffix(joined, "\n") {
				joined += " "
			}
			joined += r
		}
		out["_raw_params"] = joined
	}
	return out, nil
}

// equals finds the first = that is neither escaped nor first.
func equals(w string) int {
	for i := 1; i < len(w); i++ {
		if w[i] == '=' && w[i-1] != '\\' {
			return i
		}
	}
	return -1
}

func unquote(s string) string {
	if len(s) > 1 && s[0] == s[len(s)-1] && (s[0] == '"' || s[0] == '\'') && s[len(s)-2] != '\\' {
		return s[1 : len(s)-1]
	}
	return s
}

var escapes = regexp.MustCompile(`\\(?:U[0-9a-fA-F]{8}|u[0-9a-fA-F]{4}|x[0-9a-fA-F]{2}|N\{[^}]+\}|[\\'"abfnrtv])`)

func decodeEscapes(s string) string {
	return escapes.ReplaceAllStringFunc(s, func(e string) string {
		switch e[1] {
		case 'U', 'u', 'x':
			if n, err := strconv.ParseUint(e[2:], 16, 32); err == nil {
				return string(rune(n))
			}
			return e
		case 'N':
			return e // a character by its name: as written
		}
		if i := strings.IndexByte(`\'"abfnrtv`, e[1]); i >= 0 {
			return "\\'\"\a\b\f\n\r\t\v"[i : i+1]
		}
		return e
	})
}

// splitArgs splits at spaces and line breaks outside of quotes and Jinja blocks.
func splitArgs(text string) ([]string, error) {
	var out []string
	var quote byte
	var depth [3]int // of {{, {% and {#
	items := strings.Split(text, "\n")
	for n, item := range items {
		tokens := strings.Split(item, " ")
		continued := false
		for i, token := range tokens {
			if token == "" && i != 0 {
				if len(out) > 0 {
					out[len(out)-1] += " "
				}
				continue
			}
			if token == `\` && quote == 0 {
				continued = true
				continue
			}
			was, inBlock := quote != 0, depth != [3]int{}
			quote = quoteState(token, quote)
			appended := false
			switch {
			case quote != 0 && !was && !inBlock:
				out, appended = append(out, token), true
			case (inBlock || quote != 0 || was) && len(out) > 0:
				spacer := "\n"
				switch {
				case i == 0 && was:
					spacer = ""
				case len(tokens) > 1 && i > 0:
					spacer = " "
				case len(tokens) > 1:
					spacer = ""
				}
				out[len(out)-1] += spacer + token
				appended = true
			}
			for b, marks := range [3][2]string{{"{{", "}}"}, {"{%", "%}"}, {"{#", "#}"}} {
				before := depth[b]
				depth[b] = max(0, before+strings.Count(token, marks[0])-strings.Count(token, marks[1]))
				if depth[b] != before && !appended {
					out, appended = append(out, token), true
				}
			}
			if depth == [3]int{} && quote == 0 && !appended && token != "" {
				out = append(out, token)
			}
		}
		if n != len(items)-1 && !continued && len(out) > 0 {
			out[len(out)-1] += "\n"
		}
	}
	if quote != 0 || depth != [3]int{} {
		return nil, errUnbalanced
	}
	return out, nil
}

// quoteState gives the quote that is open behind a token.
func quoteState(token string, quote byte) byte {
	for i := range len(token) {
		c := token[i]
		if (c != '"' && c != '\'') || (i > 0 && token[i-1] == '\\') {
			continue
		}
		switch quote {
		case 0:
			quote = c
		case c:
			quote = 0
		}
	}
	return quote
}
