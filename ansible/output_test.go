package ansible

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestErrorsOfBothFormsAreRead(t *testing.T) {
	for name, c := range map[string]struct {
		stderr string
		want   said
	}{
		"2.14, an unknown module": {`[WARNING]: Could not match supplied host pattern, ignoring: web
ERROR! couldn't resolve module/action 'exec'. This often indicates a misspelling, missing collection, or incorrect module path.

The error appears to be in '/x/it's here/y.yml': line 5, column 3, but may
be elsewhere in the file depending on the exact syntax problem.

The offending line appears to be:

- name: a
  ^ here
`, said{
			message: "couldn't resolve module/action 'exec'. This often indicates a misspelling, missing collection, or incorrect module path",
			path:    "/x/it's here/y.yml", line: 5, column: 3,
		}},
		"2.14, YAML": {`ERROR! We were unable to read either as JSON nor YAML, these are the errors we got from each:
JSON: Expecting value: line 1 column 1 (char 0)

Syntax Error while loading YAML.
  mapping values are not allowed in this context

The error appears to be in '/x/y.yml': line 10, column 9, but may
be elsewhere in the file depending on the exact syntax problem.
`, said{message: "not valid YAML: mapping values are not allowed in this context", path: "/x/y.yml", line: 10, column: 9, yaml: true}},
		"2.19, an unknown module": {`[WARNING]: No inventory was parsed, only implicit localhost is available
[ERROR]: couldn't resolve module/action 'exec'. This often indicates a misspelling, missing collection, or incorrect module path.
Origin: /x/y.yml:23:7

21   tasks:
22
23     - name: a
         ^ column 7

`, said{
			message: "couldn't resolve module/action 'exec'. This often indicates a misspelling, missing collection, or incorrect module path",
			path:    "/x/y.yml", line: 23, column: 7,
		}},
		"2.19, YAML": {`[ERROR]: YAML parsing failed: While parsing a block mapping did not find expected key.
Origin: /x/y.yml:9:7

7     ansible.builtin.dnf:
8        name: httpd
9       state: latest
        ^ column 7
`, said{message: "not valid YAML: While parsing a block mapping did not find expected key", path: "/x/y.yml", line: 9, column: 7, yaml: true}},
		"2.19, wrapped at the width of a terminal": {`[ERROR]: YAML parsing failed: Expected a single document in the stream but
found another document.
Origin: /x/y.yml:22:1
`, said{message: "not valid YAML: Expected a single document in the stream but found another document", path: "/x/y.yml", line: 22, column: 1, yaml: true}},
		"2.19, a chain, whose last place is the cause": {`[ERROR]: Error loading tasks: bad value: no number

Error loading tasks.
Origin: /x/a.yml:2:3

1 ---
2 - name: a
    ^ column 3

<<< caused by >>>

bad value: no number
Origin: /x/b.yml:7:5 (description)

7 port: x
    ^ column 5
`, said{message: "Error loading tasks: bad value: no number", path: "/x/b.yml", line: 7, column: 5}},
		"2.19, without a line": {"[ERROR]: A playbook must be a list of plays.\nOrigin: /x/y.yml\n", said{
			message: "A playbook must be a list of plays", path: "/x/y.yml",
		}},
		"no place":                  {"ERROR! the playbook: a.yml could not be found\n", said{message: "the playbook: a.yml could not be found"}},
		"an origin that is no file": {"[ERROR]: bad\nOrigin: <unknown>\n\nx\n", said{message: "bad Origin: <unknown>"}},
		"a locale":                  {"ERROR: Ansible requires the locale encoding to be UTF-8; Detected None.\n", said{message: "Ansible requires the locale encoding to be UTF-8; Detected None"}},
	} {
		t.Run(name, func(t *testing.T) {
			errs, _ := blocks(c.stderr)
			require.Len(t, errs, 1)
			require.Equal(t, c.want, parseBlock(errs[0]))
		})
	}
}

func TestWarningsAreNoErrors(t *testing.T) {
	errs, warnings := blocks("note\n[WARNING]: Could not match supplied host pattern, ignoring:\nweb\n[DEPRECATION WARNING]: old\n")
	require.Empty(t, errs)
	require.Equal(t, []string{"Could not match supplied host pattern, ignoring:\nweb\n", "old\n"}, warnings)
}

func TestTheEssentialLine(t *testing.T) {
	for stderr, want := range map[string]string{
		"": "",
		"usage: x\nansible-inventory: error: unrecognized arguments: --y\n": "unrecognized arguments: --y",
		"Traceback:\n  File x\nKeyError: 'a'\n":                             "KeyError: 'a'",
		"ERROR! first\n[WARNING]: w\nERROR! second.\n\nmore\n":              "second",
	} {
		require.Equal(t, want, essential(stderr))
	}
}

func FuzzOutput(f *testing.F) {
	f.Add("ERROR! a\n\nThe error appears to be in '/x': line 1, column 2, but\n")
	f.Add("[ERROR]: a\nOrigin: /x:1:2\n[WARNING]: * Failed to parse /x with ini plugin: y\n")
	f.Fuzz(func(t *testing.T, stderr string) {
		errs, warnings := blocks(stderr)
		for _, e := range errs {
			s := parseBlock(e)
			require.NotContains(t, s.message, "\n")
			require.GreaterOrEqual(t, s.line, 0)
		}
		for _, r := range reasons(warnings) {
			New(Options{}).explainReason(&SourceError{}, "", r)
		}
		require.LessOrEqual(t, len(strings.Join(errs, ""))+len(strings.Join(warnings, "")), len(stderr))
		essential(stderr)
	})
}
