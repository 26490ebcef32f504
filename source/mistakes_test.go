package source

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

type wrong struct{ text, want string }

// mistakes are files that Parse refuses, with all that it says.
func mistakes() map[string]wrong {
	const quoted = "\n  hint: put the whole value in quotes"
	const conflict = "\n  hint: keep what holds of the two sides, and take away the lines that begin with <<<<<<<, ======= and >>>>>>>"
	return map[string]wrong{
		"a key indented too deep":           {"- name: x\n  shell: y\n   tags: step1\n- b: c\n", "f.yaml:3:4: indented deeper than the line above, which has its value already\n  hint: indent it by 2 spaces"},
		"a key under a complete value":      {"a: b\n  c: d\nd: 1\n", "f.yaml:2:3: indented deeper than the line above, which has its value already\n  hint: begin it at the left margin"},
		"a key indented too little":         {"- name: x\n  shell: y\n tags: step1\n- b: c\n", "f.yaml:3:2: indented by 1 space, as nothing above it is\n  hint: indent it by 2 spaces, or as the line that it belongs beside"},
		"a second key indented too little":  {"- name: x\n shell: y\n  tags: step1\n- b: c\n", "f.yaml:2:2: indented by 1 space, as nothing above it is\n  hint: indent it by 2 spaces, or as the line that it belongs beside"},
		"a key between two levels":          {"a:\n    b: 1\n  c: 2\nd: 3\n", "f.yaml:3:3: indented by 2 spaces, as nothing above it is\n  hint: indent it by 4 spaces, or as the line that it belongs beside"},
		"a dash between two levels":         {"- a: 1\n - b: 2\n- c: 3\n", "f.yaml:2:2: indented by 1 space, as nothing above it is\n  hint: indent it by 2 spaces, or as the line that it belongs beside"},
		"a bad line after comments":         {"a: 1\n# c\n\n# d\n  b: 2\n# e\n\nf: 1\n", "f.yaml:5:3: indented deeper than the line above, which has its value already\n  hint: begin it at the left margin"},
		"a key beside dashes":               {"a:\n  - b\n  c: 1\n", "f.yaml:3:3: a key where a list element is expected\n  hint: indent it by 4 spaces if it belongs to the element above, or begin it with a dash"},
		"a key after a list at the margin":  {"- a\nx: 1\n", "f.yaml:2:1: a key where a list element is expected\n  hint: indent it by 2 spaces if it belongs to the element above, or begin it with a dash"},
		"a dash beside keys":                {"x: 1\n- a\n", "f.yaml:2:1: a list element where a key is expected\n  hint: take off the dash, or indent it as the list that it belongs to"},
		"a dash indented as keys":           {"- name: a\n- name: b\n  - name: c\n", "f.yaml:3:3: a list element where a key is expected\n  hint: take off the dash, or indent it as the list that it belongs to"},
		"a tab to indent a key":             {"a:\n\tb: 1\n", "f.yaml:2:1: a tab where only spaces can stand\n  hint: indent with spaces"},
		"a tab in the middle of a mapping":  {"a:\n  b: 1\n\tc: 2\nd: 1\n", "f.yaml:3:1: a tab where only spaces can stand\n  hint: indent with spaces"},
		"a tab at the very start":           {"\ta: 1\n", "f.yaml:1:1: a tab where only spaces can stand\n  hint: indent with spaces"},
		"a tab behind a dash":               {"- a:\t1\n-\tb: 2\n", "f.yaml:2:2: a tab where only spaces can stand\n  hint: indent with spaces"},
		"a tab to indent a literal":         {"x: 1\na: |\n\tfoo\nb: 2\n", "f.yaml:3:1: a tab where only spaces can stand\n  hint: indent with spaces"},
		"an unclosed quote in line 1":       {"a: \"foo\nb: 2\nc: 3\n", "f.yaml:1:4: a quote (\") is opened here and not closed on this line\n  hint: close it"},
		"an unclosed quote":                 {"x: 1\na: 'foo\nb: 2\nc: 3\n", "f.yaml:2:4: a quote (') is opened here and not closed on this line\n  hint: close it; a quote within is written twice ('')"},
		"a quote closed by the next":        {"x: 1\na: 'foo\nb: 2\nc: 'x'\nd: 3\n", "f.yaml:2:4: a quote (') is opened here and not closed on this line\n  hint: close it; a quote within is written twice ('')"},
		"an apostrophe in single quotes":    {"x: 1\na: 'it's'\nb: 2\n", "f.yaml:2:8: text behind the closing quote\n  hint: put single quotes around the whole value; a quote within is written twice ('')"},
		"text behind a quoted word":         {"- when: \"foo\" in bar\n", "f.yaml:1:14: text behind the closing quote\n  hint: put single quotes around the whole value"},
		"single quotes compared":            {"- name: x\n  when: 'a' == 'b'\n", "f.yaml:2:12: text behind the closing quote\n  hint: put double quotes around the whole value"},
		"quotes of both kinds compared":     {"- name: x\n  when: \"a\" == 'b'\n", "f.yaml:2:12: text behind the closing quote\n  hint: put single quotes around the whole value; a quote within is written twice ('')"},
		"a brace not closed in a list":      {"a: 1\ntasks:\n  - {name: x, shell: x, tags: step1\n  - {name: y, shell: x}\n", "f.yaml:3:5: { is opened here and not closed\n  hint: close it with }; quote a value that only begins with it"},
		"a brace not closed at the end":     {"tasks:\n  - {name: x, shell: x, tags: step1\n", "f.yaml:2:5: { is opened here and not closed\n  hint: close it with }; quote a value that only begins with it"},
		"a no-break space that indents":     {"tasks:\n  - name: x\n\u00a0\u00a0\u00a0\u00a0shell: y\n    tags: step1\n", "f.yaml:3:1: U+00A0 where only spaces can stand: it looks like a space and is none\n  hint: type a space in its place"},
		"a no-break space among spaces":     {"a:\n  b: 1\n \u00a0c: 1\n  d: 2\n", "f.yaml:3:2: U+00A0 where only spaces can stand: it looks like a space and is none\n  hint: type a space in its place"},
		"no space behind a dash":            {"a:\n  - name: x\n    shell: y\n  -name: z\n    shell: y\n", "f.yaml:4:3: a dash without a space behind it\n  hint: put a space behind the dash: \"- \""},
		"no space behind the first dash":    {"a:\n  -name: x\n   shell: y\n   tags: step1\n", "f.yaml:2:3: a dash without a space behind it\n  hint: put a space behind the dash: \"- \""},
		"a merge that git left":             {"- name: x\n<<<<<<< HEAD\n  shell: a\n=======\n  shell: b\n>>>>>>> other\n", "f.yaml:2:1: a merge that was not resolved" + conflict},
		"what is left of a merge":           {"- name: x\n  shell: b\n>>>>>>> other\n", "f.yaml:3:1: a merge that was not resolved" + conflict},
		"an unclosed [":                     {"x: 1\na: [1, 2\nb: 2\nc: 3\n", "f.yaml:2:4: [ is opened here and not closed\n  hint: close it with ]; quote a value that only begins with it"},
		"an unclosed {":                     {"x: 1\na: {k: 1\nb: 2\nc: 3\n", "f.yaml:2:4: { is opened here and not closed\n  hint: close it with }; quote a value that only begins with it"},
		"an unclosed inner [":               {"- a: {k: [1, 2}\n- b: 2\n", "f.yaml:1:15: } where ] is expected\n  hint: [ is closed by ]"},
		"an unclosed [ in a list":           {"- # c\n # d\n  [a\n", "f.yaml:3:3: [ is opened here and not closed\n  hint: close it with ]; quote a value that only begins with it"},
		"brackets that do not match":        {"x: 1\na: [1, 2}\nb: 2\nc: 3\n", "f.yaml:2:9: } where ] is expected\n  hint: [ is closed by ]"},
		"a ] too many":                      {"a: [x, y]]\nb: 1\n", "f.yaml:1:10: text behind the closing bracket\n  hint: put the whole value in quotes if the brackets are part of it"},
		"text behind brackets":              {"a: [x] y # z\nb: 1\n", "f.yaml:1:8: text behind the closing bracket\n  hint: put the whole value in quotes if the brackets are part of it"},
		"a stray ]":                         {"a: ]\n", "f.yaml:1:4: ] closes nothing\n  hint: remove it, or open a bracket before it"},
		"a stray comma":                     {"a: ,\n", "f.yaml:1:4: a value cannot begin with ," + quoted},
		"a colon in a value":                {"x: 1\nkey: value: x\nc: 3\n", "f.yaml:2:11: \": \" inside a value that is not quoted" + quoted},
		"a colon far into a value":          {"x: 1\nmsg: a 🚀 b: c\nc: 3\n", "f.yaml:2:11: \": \" inside a value that is not quoted" + quoted},
		"a colon in arguments":              {"- debug: msg=\"a: b\"\n", "f.yaml:1:16: \": \" inside a value that is not quoted" + quoted},
		"no colon, keys around":             {"x: 1\nname foo\nc: 3\n", "f.yaml:2:1: a key without \": \"\n  hint: write KEY: VALUE"},
		"no colon in a task":                {"- name: x\n  tags step1\n  shell: y\n- b: c\n", "f.yaml:2:3: a key without \": \"\n  hint: write KEY: VALUE"},
		"no colon at a task's end":          {"- name: x\n  shell: y\n  tags step1\n- b: c\n", "f.yaml:3:3: a key without \": \"\n  hint: write KEY: VALUE"},
		"no colon at the file's end":        {"- name: x\n  shell: y\n  tags step1\n", "f.yaml:3:3: a key without \": \"\n  hint: write KEY: VALUE"},
		"no colon in line 1":                {"name foo\nc: 3\n", "f.yaml:1:1: a key without \": \"\n  hint: write KEY: VALUE"},
		"no space behind the colon":         {"x: 1\na:b\nc: 2\n", "f.yaml:2:1: a key without \": \"\n  hint: put a space after \":\""},
		"a value that begins with @":        {"x: 1\na: @foo\nb: 2\n", "f.yaml:2:4: a value cannot begin with @" + quoted},
		"a value that begins with `":        {"x: 1\na: `foo`\nb: 2\n", "f.yaml:2:4: a value cannot begin with `" + quoted},
		"a value that begins with %":        {"x: 1\na: %foo\nb: 2\n", "f.yaml:2:4: a value cannot begin with %" + quoted},
		"an element that begins with @":     {"a: [x, @foo]\n", "f.yaml:1:8: a value cannot begin with @" + quoted},
		"a value that begins with *":        {"x: 1\na: *.log\nb: 2\n", "f.yaml:2:4: a value cannot begin with *" + quoted},
		"a value that is only &":            {"x: 1\na: & b\nb: 2\n", "f.yaml:2:4: a value cannot begin with &" + quoted},
		"an alias of nothing":               {"x: 1\na: *foo\nb: 2\n", "f.yaml:2:4: alias *foo has no anchor &foo before it\n  hint: quote the value if it only begins with *; an anchor must stand earlier in the same file"},
		"an expression as a value":          {"- shell: x\n  when: {{ foo }}\n", "f.yaml:2:9: a value that begins with {{ must be quoted\n  hint: write \"{{ foo }}\""},
		"an expression with a filter":       {"a: {{ foo | default('x') }}\n", "f.yaml:1:4: a value that begins with {{ must be quoted\n  hint: write \"{{ foo | default('x') }}\""},
		"an expression with a subscript":    {"a: {{ foo['x'] }}\nb: 2\n", "f.yaml:1:4: a value that begins with {{ must be quoted\n  hint: write \"{{ foo['x'] }}\""},
		"an expression with a quote":        {"a: {{ foo | default(\"x\") }}\n", "f.yaml:1:4: a value that begins with {{ must be quoted\n  hint: put the whole value in double quotes"},
		"an expression with text behind it": {"- shell: {{ cmd }} run\n  tags: step1\n", "f.yaml:1:10: a value that begins with {{ must be quoted\n  hint: write \"{{ cmd }} run\""},
		"an expression in a list":           {"a:\n  - {{ foo }}/bar\n", "f.yaml:2:5: a value that begins with {{ must be quoted\n  hint: write \"{{ foo }}/bar\""},
		"an expression in brackets":         {"a: [x, {{ foo }}]\n", "f.yaml:1:8: a value that begins with {{ must be quoted\n  hint: put the whole value in double quotes"},
		"an expression as a key":            {"- set_fact:\n    {{ x }}: 1\n", "f.yaml:2:5: a key that begins with {{ must be quoted\n  hint: put the whole key in double quotes"},
		"a statement as a value":            {"x: 1\na: {% if x %}y{% endif %}\nb: 2\n", "f.yaml:2:4: a value that begins with {% must be quoted" + quoted},
		"a literal that ends too soon":      {"x: 1\na: |\n   foo\n  bar\nb: 2\n", "f.yaml:4:3: text indented less than the first line of its block\n  hint: indent every line of the block as its first"},
		"text behind |":                     {"x: 1\na: |foo\nb: 2\n", "f.yaml:2:4: text behind |\n  hint: begin the text on the next line, or quote the value"},
		"an unknown escape":                 {"a: \"\\d+\"\n", "f.yaml:1:5: an unknown escape in double quotes\n  hint: write \\\\ for a backslash, or use single quotes"},
		"half an escape":                    {"a: \"c:\\xyz\"\n", "f.yaml:1:7: an unknown escape in double quotes\n  hint: write \\\\ for a backslash, or use single quotes"},
		"a control character":               {"a: é\x01\nb: 1\n", "f.yaml:1:5: control character U+0001\n  hint: remove it, or write it as an escape in double quotes, such as \"\\x1b\""},
		"an unknown directive":              {"%FOO\n---\na: 1\n", "f.yaml:1:1: a directive that YAML does not know\n  hint: remove the line; quote a value that begins with %"},
		"an unknown tag handle":             {"b: 1\na: !foo!bar x\n", "f.yaml:2:4: a tag that YAML cannot read\n  hint: write !name; quote a value that begins with !"},
		"anything else":                     {"? a\n? b\n: [c\n", "f.yaml:3:1: invalid YAML: did not find expected ',' or ']'\n  hint: check the indentation, brackets and quotes of this line and of the one above"},
		"a second document":                 {"a: 1\n---\nb: 2\n", "f.yaml:2:1: a second document begins here and would be ignored\n  hint: put it into a file of its own"},
		"a second document that is broken":  {"---\na: 1\n---\nb: [\n", "f.yaml:3:1: a second document begins here and would be ignored\n  hint: put it into a file of its own"},
		"an empty second document":          {"# c\n%YAML 1.1\n---\na: 1\n...\n---\n", "f.yaml:6:1: a second document begins here and would be ignored\n  hint: put it into a file of its own"},
		"text behind the document":          {"[a]\nb: 1\n", "f.yaml:2:1: text behind the end of the file's one value\n  hint: only one mapping or one list can stand at the top"},
		"an empty file":                     {"", "f.yaml: file is empty\n  hint: remove it, or give it content"},
		"nothing but comments":              {"# a\n\n# b\n", "f.yaml: file is empty\n  hint: remove it, or give it content"},
		"nothing but a marker":              {"---\n", "f.yaml: file is empty\n  hint: remove it, or give it content"},
		"nothing but a byte order mark":     {"\ufeff", "f.yaml: file is empty\n  hint: remove it, or give it content"},
		"Latin-1":                           {"a: 1\nb: caf\xe9\n", "f.yaml:2:7: file is not valid UTF-8\n  hint: save it as UTF-8"},
		"UTF-16 with its mark":              {"\xff\xfea\x00:\x00 \x001\x00", "f.yaml: file is UTF-16\n  hint: save it as UTF-8"},
		"UTF-16 without":                    {"\x00a\x00:\x00 \x001", "f.yaml: file is UTF-16\n  hint: save it as UTF-8"},
		"a duplicate key":                   {"a: 1\nb: 2\n\"a\": 3\n", "f.yaml:3:1: duplicate key \"a\"\n  hint: it stands first in line 1; remove one of the two"},
		"duplicate keys, deep, all told": {"- x: {a: 1, a: 2}\n  y: 1\n- y:\n    b: 1\n    c: 2\n    b: 3\n", "f.yaml:1:13: duplicate key \"a\"\n  hint: it stands first in line 1; remove one of the two\n" +
			"f.yaml:6:5: duplicate key \"b\"\n  hint: it stands first in line 4; remove one of the two"},
		"a list as a key":                 {"[a, b]: 1\n", "f.yaml:1:1: a key that is a mapping or a list\n  hint: use a plain word as the key"},
		"an alias that contains itself":   {"a: &x\n  b: *x\n", "f.yaml:2:6: alias *x stands inside what it names\n  hint: write the value out"},
		"a merge of no mapping":           {"a: &x [1]\nb:\n  <<: *x\nc:\n  <<:\n", "f.yaml:1:8: << takes a mapping or a list of mappings\n  hint: write <<: *NAME with the anchor of a mapping\nf.yaml:5:6: << takes a mapping or a list of mappings\n  hint: write <<: *NAME with the anchor of a mapping"},
		"nested too deep":                 {strings.Repeat("[", 300) + strings.Repeat("]", 300), "f.yaml:1:202: nested deeper than 200 levels\n  hint: flatten the structure"},
		"too large":                       {strings.Repeat(" ", 64<<20) + "a", "f.yaml: file is larger than 64 MiB\n  hint: split it into several files"},
		"aliases that expand without end": {laughs(8), "f.yaml:7:5: aliases expand to more than 1048576 values\n  hint: write the values out, or use fewer aliases"},
	}
}

// laughs is a small file of aliases that expand to ten to the power of n.
func laughs(n int) string {
	text := "a0: &a0 x\n"
	for i := range n {
		a := string(rune('0' + i))
		b := string(rune('1' + i))
		text += "a" + b + ": &a" + b + " [" + strings.Repeat("*a"+a+", ", 10) + "]\n"
	}
	return text
}

func TestEveryMistakeIsNamedWithItsPlace(t *testing.T) {
	for name, m := range mistakes() {
		t.Run(name, func(t *testing.T) {
			var sink Sink
			_, ok := Parse(File{Name: "f.yaml", Text: []byte(m.text)}, &sink)
			require.False(t, ok)
			require.Equal(t, m.want, sink.Problems().Error())
		})
	}
}

func TestATagThatAnsibleCannotReadIsAProblem(t *testing.T) {
	const how = "\n  hint: quote a value that begins with !; to say that something is not so, write not, as in when: not installed"
	var sink Sink
	_, ok := Parse(File{Name: "f.yaml", Text: []byte("- when: !installed\n  x: &a !foo {k: !!python/object:x 1}\n  y: [!<!bar> b, *a]\n")}, &sink)
	require.True(t, ok, "the rest of the file is read")
	require.Equal(t, "f.yaml:1:9: Ansible knows no tag !installed"+how+"\nf.yaml:2:6: Ansible knows no tag !foo"+how+
		"\nf.yaml:2:18: Ansible knows no tag !!python/object:x"+how+"\nf.yaml:3:7: Ansible knows no tag !bar"+how, sink.Problems().Error())
	sink = Sink{}
	_, ok = Parse(File{Name: "f.yaml", Text: []byte("a: !vault x\nb: !unsafe '{{ c }}'\nc: !vault-encrypted y\nd: !!str 3\ne: !<tag:yaml.org,2002:int> 3\nf: ! g\n!!str h: !!set {i}\n")}, &sink)
	require.True(t, ok)
	require.Empty(t, sink.Problems())
}
