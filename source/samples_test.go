package source

import "strings"

// samples are YAML files of which every list element, mapping and entry is cut out
// and must mean the same. They seed the fuzzers too.
func samples() map[string]string {
	out := map[string]string{
		"plain tasks": "- name: a\n  command: b\n  tags: step1\n- name: c\n  command: d\n",
		"comments above, between, behind, below": "# file header\n\n# about a\n- name: a # behind a\n  # within a\n  command: b\n" +
			"  # below a, deeper\n# about c\n\n# more about c\n- name: c\n# the end\n",
		"comments of a nested list":               "tasks:\n  # first\n  - a: 1\n    # in a\n  # second\n  - b: 2\n  # trailing in the list\n# of what follows\nother: 1\n",
		"a comment between the dash and the task": "-\n  # why\n  name: a\n- # here\n  name: b\n",
		"comment-like lines in a literal": "- shell: |\n    # not a comment\n    echo a\n    # nor this\n  tags: step1\n" +
			"- shell: |\n    echo\n    # the last line\n# a comment\n- x: 1\n",
		"comment-like lines in quotes":           "- name: \"a\n# not a comment\n  b\"\n- name: 'c\n# no comment'\n# a comment, don't cut\n- d: \"e\n  # f\"\n",
		"comment-like last line in quotes":       "- \"a\n# b\"\n- 'c\n\n# d'\n# it's a comment\n- e\n",
		"tagged and anchored quotes over lines":  "- x: !t \"a\n# b\"\n- &q\n  \"a\n# b\"\n- y: &r 'a\n# b'\n# isn't\n- z\n",
		"literal with clip":                      "- a: |\n    x\n    y\n- b: |\n    z\n\n\n- c: 1\n",
		"literal with strip":                     "- a: |-\n    x\n\n    y\n- b: |-\n    z\n\n- c: 1\n",
		"literal with keep":                      "- a: |+\n    x\n- b: |+\n    y\n\n\n- c: |+\n\n- d: |+\n    z\n\n# comment\n\n- e: 1\n",
		"literal with keep at the end":           "- a: |+\n    x\n\n\n",
		"literal with keep, then deeper comment": "- a: |+\n    x\n\n  # of a\n\n- b: 1\n",
		"folded":                                 "- a: >\n    x\n    y\n\n    z\n- b: >-\n    one\n    two\n\n- c: >+\n    three\n\n- d: 1\n",
		"folded with more-indented lines":        "- a: >\n    x\n      more\n      and more\n    y\n\n      again\n\n    z\n  b: 1\n- >\n   x\n     y\n   z\n",
		"indentation indicators":                 "- a: |2\n      two more\n    x\n  b: |2-\n     y\n  c: >1\n    z\n- |1\n  q\n- |2+\n    r\n\n- >1-\n   s\n",
		"whitespace-only lines in literals":      "- a: |\n    x\n  \n        \n    y\n      \n- b: |\n    z\n     \n   \n- c: |-\n    z\n       \n- d: 1\n",
		"a literal that ends in white space":     "tasks:\n    - a: |\n        x\n          \n    - b: 1\n",
		"tabs in scalars":                        "- a: |\n    x\n    \ty\tz\n    \tw\n- b: \"p\tq\"\n- c: r\ts\n- d: |2\n    \tx\n",
		"no-break space as the last line":        "- a: |\n    x\n    \u00a0\n- b: 1\n",
		"plain scalars over lines":               "- a: x\n    y\n\n    z\n  b: 1\n- p\n  q\n- r\n",
		"quoted scalars over lines":              "- a: \"x\n    y\\\n    z\n\n    w\"\n  b: 'p\n    q'\n- c: 1\n",
		"quoted lines left of the dash":          "tasks:\n    - a: \"x\n  y\n z\"\n      b: 'p\nq'\n    - c: 1\n",
		"quoted lines at the dash":               "k:\n  - a: \"x\n  y\"\n  - b: 1\n",
		"quoted text like a document marker":     "k:\n    - a: \"x\n    --- y\n    ...\"\n    - b: 'x\n      --- y'\n",
		"keys beside quoted text":                "k:\n  a: \"x\n  y\"\n  b: 'x\n--y'\n",
		"flow collections":                       "- {a: 1, b: [x, \"y, z\", {c: d}]}\n- [p, q]\n- a: {}\n  b: []\n- c: [1,\n  2,\n\n 3]\n  d: {x: 1,\n# comment\n y: 2}\n",
		"flow lists of tasks":                    "tasks: [{name: a, command: b}, {name: 'it''s', x: '|-1'}, plain text, \"quoted\", ~]\n",
		"flow with odd plain text":               "- [-,  a:b, 'x: y', -1, -a, http://x/y, \"{\", 22:22, <<, =]\n- {a: -, \"b\":c, d, ? e, f: , 'g': {h: [i]}}\n",
		"comments in flow":                       "- [a, # first\n   b, # second\n   # last\n  ]\n- {x: 1, # one\n   y: 2}\n- {p: [1, 2], # c\n   q: &f [*f2x]}\n",
		"dash on its own line":                   "-\n  name: a\n-\n\n  name: b\n-\n- c\n- \n",
		"indentless sequences":                   "a:\n- x: |\n   lit\n- y: 2\n# c\nb:\n- z\n- |\n p\n",
		"nested blocks": "tasks:\n  - name: all\n    block:\n      - name: a\n        tags: step1\n      # about b\n      - name: b\n        tags: step2\n" +
			"    rescue:\n      - name: c\n        # in c\n    always:\n      - name: d\n    tags: [x]\n  - name: e\n",
		"sequences of sequences": "- - a\n  - b: 1\n    c: 2\n- - - d\n    - e\n  - f\n-\n  - g\n  -\n    - h\n",
		"anchors within a task":  "- a: &x 1\n  b: *x\n  c: &m {p: 1}\n  d: *m\n- e: &y\n    q: 1\n  f:\n    <<: *y\n    r: 2\n",
		"anchors across tasks": "- &t\n  name: a\n  env: &e\n    PATH: /bin\n    N: 0644\n- name: b\n  env: *e\n- *t\n- <<: *t\n  name: c\n" +
			"- env:\n    <<: *e\n    PATH: /sbin\n- [*e, *t, x]\n- {a: *e}\n",
		"merges of several": "a: &a {x: 1, y: 1}\nb: &b\n  y: 2\n  z: 2\nlist:\n  - <<: [*a, *b]\n    w: 0\n  - <<: *a\n    <<: *b\n" +
			"  - {<<: *a, y: 3}\n  - x: 9\n    <<: *b\n  - <<: {p: 1}\n  - q: {<<: *e0}\n",
		"an anchored list":           "tasks: &l\n  - a: 1 # c\n  # d\n  - b: 2\nmore: !seq2\n    - c: 1\n    - d: 2\nagain: *l\n",
		"an anchored mapping":        "vars: &v\n  # c\n  a: 1\n  b: 2 # d\nmore: *v\n",
		"an alias to block text":     "- a: &s |\n    x\n    y\n- b: *s\n- [*s]\n- {k: *s}\n- *s\n",
		"an alias as a key":          "- a: &k key\n- *k : v\n- x:\n    *k : w\n",
		"an anchor defined twice":    "- a: &x 1\n- b: *x\n- c: &x 2\n  d: *x\n- e: *x\n",
		"empty things":               "- a:\n  b: ~\n  c: null\n  d: ''\n  e: \"\"\n  f: {}\n  g: []\n-\n- ~\n- ''\n",
		"vault and unsafe":           "- a: !vault |\n    $ANSIBLE_VAULT;1.1;AES256\n    3962\n  b: !unsafe '{{ x }}'\n- c: !unsafe \"%}\"\n  d: !vault-encrypted |-\n    y\n- &u !unsafe x\n- *u\n- !unsafe z\n",
		"other tags":                 "- !!str 5\n- !!int \"5\"\n- !<tag:example.org,2000:x> y\n- !a%20b z\n- !!set {a, b}\n- a: !m\n    x: 1\n- b: !!omap\n    - x: 1\n- c: !m {x: 1}\n- [!m {y: 2}, !l [z]]\n- !!str\n- ! x\n",
		"numbers and booleans":       "- mode: 0644\n  m2: 0o644\n  m3: '0644'\n  t: 22:22\n  u: 089\n  v: 1_000\n  w: 0x1F\n  x: 1e3\n  y: .inf\n  z: 12345678901234567890\n- [yes, no, on, off, y, n, Yes, TRUE, true, 2001-01-01, 2001-01-01 10:00:00]\n- yes: no\n  on: off\n",
		"emoji and other scripts":    "- name: \"🚀 start\" # 🎉\n  команда: запуск\n  x: é🚀 y\n- [🚀, {é: ü}]\n- |\n  🚀\n   é\n",
		"control characters escaped": "- \"\\x07\\0\\u2028\\ufeff\\U0001F680\\_\"\n- \"\\x85\\t\\r\"\n",
		"windows lines":              "# c\r\n- name: a\r\n  shell: |\r\n    x\r\n\r\n    y\r\n  q: \"l\r\n   m\"\r\n- b: >\r\n    z\r\n    w\r\n",
		"byte order mark":            "\ufeff- name: a\n- name: b\n",
		"no final newline":           "- name: a\n- name: b",
		"literal to the end of file": "- a: |\n    x",
		"literal, keep, end of file": "- a: |+\n    x\n- b: |+\n    x\n\n  ",
		"folded to the end of file":  "- a: >\n    x\n    y",
		"strip to the end of file":   "- a: |-\n    x",
		"document markers":           "---\n# c\n- a: 1\n- b: 2\n...\n# after\n",
		"markers round a mapping":    "--- # c\na: 1\nb:\n  c: 2\n\n...\n",
		"document begun on its line": "--- {a: [1, 2]}\n",
		"a directive":                "%YAML 1.1\n%TAG !e! tag:example.org,2000:\n---\n- !e!x y\n- a: !e!m {b: 1}\n",
		"lone carriage returns":      "- a: 1\r- b: 2\r- c: \"x\r  y\"\r",
		"unicode line breaks":        "- a: |\n    x\u2028    y\n- b: \"p\u0085 q\"\n- c: d\u2029- e\n",
		"a byte order mark within":   "- a: \ufeffx\n- b: \"\ufeff\"\n",
		"complex key syntax":         "- ? a\n  : b\n  ? c\n- x:\n    ? |\n      lit\n    : y\n- ? " + strings.Repeat("long ", 300) + "\n  : z\n",
		"quoted keys":                "- \"a b\": 1\n  'it''s': 2\n  \"x\\ny\": 3\n  ? \"\"\n  : 4\n- {\"p\": 1, 'q': 2}\n",
		"comments in mappings":       "# head\n\n# a\na: 1 # b\n# c\nb:\n  # d\n  c: 2\n\n  # e\n  d: 3\n  # f\n# g\ne: 4\n",
		"deep nesting":               "a:\n  b:\n    - c:\n        - d:\n            e: |\n              x\n\n            f: 1\n          # g\n        # h\n      # i\n    # j\n  # k\nl: 1\n",
		"text that looks like yaml":  "- shell: |\n    cat <<EOF\n    - a: b\n    key: value\n    ---\n    ...\n    EOF\n- b: 1\n",
		"jinja":                      "- a: \"{{ x }}\"\n  b: x {{ y }} z\n  when: a == 'b' and c\n  c: '{% if x %}y{% endif %}'\n- d: >-\n    {{ x |\n       default('y') }}\n",
		"spaces behind values":       "- a: 1   \n  b: |   \n    x   \n  c: \"d\"   \n-   e:   f\n-     g\n",
		"wide dashes":                "-   name: a\n    b: c\n-       name: d\n        e:\n                - f\n                -   g: h\n",
		"a list of lists of text":    "a:\n  - |\n   x\n  - >-\n    y\n  - - |\n      z\n    - w\n",
		"a value under its key":      "a:\n  b\nc:\n  \"d\"\ne:\n  |\n  f\ng:\n  - h:\n      i\n",
		"anchors on their own line":  "- &a\n  x: 1\n- &b\n  - y\n- k: &c\n    z: 1\n  l: *c\n- !t\n  w: 1\n",
		"anchors alone on a line":    "- v:\n      &a\n      x: 1\n  w: &b\n      !t\n      y: 2\n  z: !t &c # d\n      - &d\n        p: q\n- &e e: f\n  g: &h |\n    i\n",
	}
	for name, text := range out {
		out[name] = strings.NewReplacer("[*f2x]", "[]", "{<<: *e0}", "{<<: {}}").Replace(text)
	}
	return out
}
