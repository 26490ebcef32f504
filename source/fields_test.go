package source

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"gopkg.in/yaml.v3"
)

// read parses text and gives what f reads of it, with what was wrong.
func read(t *testing.T, text string, f func(Fields) any) (any, string) {
	t.Helper()
	var sink Sink
	top, ok := Parse(File{Name: "f.yaml", Text: []byte(text)}, &sink)
	require.True(t, ok)
	got := f(ReadFields(top, "the thing", &sink, "name", "on", "size", "pause", "words", "kind"))
	return got, sink.Problems().Error()
}

func TestFieldsReadWhatTheySayAndReportTheRest(t *testing.T) {
	const duration = "\n  hint: write 90s, 5m or 1h30m; a bare number counts seconds"
	str := func(f Fields) any { return f.String("name") }
	required := func(f Fields) any { return f.Required("name") }
	boolean := func(f Fields) any { return f.Bool("on") }
	number := func(f Fields) any { return f.Int("size", 1, 7) }
	pause := func(f Fields) any { return f.Duration("pause", time.Minute) }
	words := func(f Fields) any {
		out := []string{}
		for _, n := range f.Strings("words") {
			out = append(out, n.Text())
		}
		return out
	}
	kind := func(f Fields) any { return f.OneOf("kind", "step", "step", "upgraded") }
	for name, c := range map[string]struct {
		text string
		read func(Fields) any
		want any
		says string
	}{
		"a text":                  {"name: x", str, "x", ""},
		"a number is text":        {"name: 0644", str, "0644", ""},
		"a text that is missing":  {"on: yes", str, "", ""},
		"a text that is null":     {"name:", str, "", ""},
		"a list where text is":    {"name: [a]", str, "", "f.yaml:1:7: name of the thing must be a single value, not a list"},
		"a required text":         {"name: x", required, "x", ""},
		"a required one missing":  {"on: yes", required, "", "f.yaml:1:1: the thing has no name\n  hint: add name: VALUE"},
		"a required one null":     {"on: yes\nname: ~", required, "", "f.yaml:2:7: the thing has no name\n  hint: add name: VALUE"},
		"a required one empty":    {"name: ''", required, "", "f.yaml:1:7: the thing has no name\n  hint: add name: VALUE"},
		"a required one a list":   {"name: {a: 1}", required, "", "f.yaml:1:7: name of the thing must be a single value, not a mapping"},
		"yes":                     {"on: yes", boolean, true, ""},
		"Off":                     {"on: Off", boolean, false, ""},
		"no truth at all":         {"name: x", boolean, false, ""},
		"neither true nor false":  {"on: maybe", boolean, false, `f.yaml:1:5: on of the thing must be true or false, not "maybe"`},
		"a list of truths":        {"on: [true]", boolean, false, "f.yaml:1:5: on of the thing must be true or false, not a list"},
		"a number":                {"size: 3", number, 3, ""},
		"a number by default":     {"name: x", number, 7, ""},
		"a number too small":      {"size: 0", number, 7, `f.yaml:1:7: size of the thing must be a whole number, 1 or more, not "0"`},
		"half a number":           {"size: 1.5", number, 7, `f.yaml:1:7: size of the thing must be a whole number, 1 or more, not "1.5"`},
		"a time":                  {"pause: 1h30m", pause, 90 * time.Minute, ""},
		"a time in seconds":       {"pause: 90", pause, 90 * time.Second, ""},
		"a time by default":       {"name: x", pause, time.Minute, ""},
		"a time before":           {"pause: -5s", pause, time.Minute, `f.yaml:1:8: pause of the thing must be a duration such as 30s or 5m, not "-5s"` + duration},
		"a time beyond all times": {"pause: 99999999999999999", pause, time.Minute, `f.yaml:1:8: pause of the thing must be a duration such as 30s or 5m, not "99999999999999999"` + duration},
		"a time without a unit":   {"pause: 5 minutes", pause, time.Minute, `f.yaml:1:8: pause of the thing must be a duration such as 30s or 5m, not "5 minutes"` + duration},
		"a list":                  {"words: [a, 2]", words, []string{"a", "2"}, ""},
		"a list with odd things":  {"words: [a, [b], {c: d}, ~]", words, []string{"a"}, "f.yaml:1:12: every element of words must be a single value, not a list\nf.yaml:1:17: every element of words must be a single value, not a mapping\nf.yaml:1:25: every element of words must be a single value, not nothing"},
		"a word where a list is":  {"words: a", words, []string{}, "f.yaml:1:8: words of the thing must be a list, not \"a\"\n  hint: write words: [a]"},
		"one of a few":            {"kind: upgraded", kind, "upgraded", ""},
		"one of a few by default": {"kind: ", kind, "step", ""},
		"none of a few":           {"kind: daily", kind, "step", "f.yaml:1:7: kind of the thing must be one of step, upgraded, not \"daily\"\n  hint: write kind: step or kind: upgraded"},
		"none of a few, but near": {"kind: upgrade", kind, "step", "f.yaml:1:7: kind of the thing must be one of step, upgraded, not \"upgrade\"\n  hint: did you mean \"upgraded\"?"},
		"an unknown key":          {"name: x\nnmae: y", str, "x", "f.yaml:2:1: unknown key \"nmae\" in the thing\n  hint: did you mean \"name\"?"},
		"a key like no other":     {"colour: y", str, "", "f.yaml:1:1: unknown key \"colour\" in the thing\n  hint: known keys: name, on, size, pause, words, kind"},
		"no mapping":              {"- a", str, "", "f.yaml:1:1: the thing must be a mapping, not a list\n  hint: its keys are name, on, size, pause, words, kind"},
		"text and no mapping":     {"a", str, "", "f.yaml:1:1: the thing must be a mapping, not a single value\n  hint: its keys are name, on, size, pause, words, kind"},
		"keys by merge":           {"<<: {name: y, on: true}\nname: x", str, "x", ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, says := read(t, c.text, c.read)
			require.Equal(t, c.want, got)
			require.Equal(t, c.says, says)
		})
	}
}

func TestWithRefusesAKeyThatIsThere(t *testing.T) {
	_, says := read(t, "name: x\nwords: y", func(f Fields) any {
		f = f.With("size", f.Get("words"))
		require.Equal(t, "y", f.String("size"))
		f.With("name", f.Get("words"))
		return nil
	})
	require.Equal(t, "f.yaml:2:8: \"name\" stands twice in the thing\n  hint: it stands first at f.yaml:1", says)
}

func TestJSONKeepsTypesAsAnsibleReadsThem(t *testing.T) {
	for text, want := range map[string]string{
		"a: 1\nb: [x, yes, 'yes', no, Off, true, ~]": `{"a":1,"b":["x",true,"yes",false,false,true,null]}`,
		"{z: 1, a: 2.50, m: 0644, o: 0o644}":         `{"z":1,"a":2.50,"m":"0644","o":"0o644"}`,
		"- 22:22\n- 12345678901234567890\n- 1e3":     `["22:22",12345678901234567890,1e3]`,
		"a: &x [1]\nb: *x\nc: {<<: {d: 1}}":          `{"a":[1],"b":[1],"c":{"d":1}}`,
		"- \"<&>\\n\\u2028\"\n- {}\n- []":            `["<&>\n\u2028",{},[]]`,
	} {
		var sink Sink
		top, ok := Parse(File{Name: "f.yaml", Text: []byte(text)}, &sink)
		require.True(t, ok)
		require.Equal(t, want, top.JSON())
	}
}

func TestQuotedTextIsReadAsTheSameText(t *testing.T) {
	words := []string{
		"", "a", "plain words", "Yes", "y", "null", "~", "1", "0x1", "1e3", "2001-01-01", "a: b", "a #b", "a:", "- a", "-", "?", "? a", "*a", "&a", "!a",
		"@a", "`a", "%a", "{{ a }}", "[a]", "a,b", "a, b", "'a'", `"a"`, `a\b`, "a\nb", "a\tb", " a", "a ", "é🚀", "\u2028", "\ufeff", "\x00\x1b\x7f\u0085", "true",
		"nan", ".inf", "inf", "<<", "=", "/etc/x", "a/b:c", "step1", "null and void", "NO", "off", "On", "a]b", "a}b", "#a", ">a", "|a",
	}
	for _, w := range words {
		for _, form := range []string{"- %s\n", "k: %s\n", "[%s, b]\n", "{%s: b}\n", "%s: b\n"} {
			var n yaml.Node
			text := fmt.Sprintf(form, Quote(w))
			require.NoError(t, yaml.Unmarshal([]byte(text), &n), text)
			c := n.Content[0].Content
			if form == "k: %s\n" {
				c = c[1:]
			}
			require.Equal(t, w, c[0].Value, text)
			require.Equal(t, "!!str", c[0].ShortTag(), text)
		}
	}
	require.Equal(t, "plain words", Quote("plain words"), "words that are safe stay as they are")
}

func TestNearestFindsSlipsOfTheFingers(t *testing.T) {
	names := []string{"nova_api", "nova_compute", "keystone", "placement", "api", "mariadb"}
	for word, want := range map[string]string{
		"nova_apii": "nova_api", "keyston": "keystone", "Keystone": "keystone", "mariadb": "", "apu": "api", "glance": "", "ab": "", "nova-compute": "nova_compute",
	} {
		require.Equal(t, want, Nearest(word, names), word)
	}
	require.Equal(t, "aab", Nearest("aaa", []string{"aac", "aab", "baa"}), "ties go to the first by name")
	require.Equal(t, `did you mean "nova_api"?`, DidYouMean("nova_apii", names))
	require.Empty(t, DidYouMean("x", names))
	require.Empty(t, Nearest("x", []string{"y", "ab", "xy"}), "one letter is near to everything")
	require.Empty(t, Nearest("lb", []string{"b", "la", "lbs"}))
	require.Equal(t, "bl", Nearest("lb", []string{"bl"}))
	require.Equal(t, "LB", Nearest("lb", []string{"LB"}))
	require.Equal(t, "web", Nearest("wbe", []string{"web"}))
}

func TestSubstitutePutsInputsIn(t *testing.T) {
	vals := Values{Declared: []string{"cluster", "share", "unset"}, Set: map[string]string{"cluster": "alfa", "share": "10"}}
	for text, want := range map[string]struct{ json, says string }{
		"web:&{{ cluster }}":                {`"web:&alfa"`, ""},
		"[\"{{cluster}}\", '{{ share }}%']": {`["alfa","10%"]`, ""},
		"plain":                             {`"plain"`, ""},
		"a {{ unset }} b":                   {`""`, ""},
		"- x\n- a {{ clustre }}":            {`["x",""]`, "f.yaml:2:3: \"a {{ clustre }}\" names clustre, which is no input\n  hint: did you mean \"cluster\"?"},
		"- 'x {{ colour }}'":                {`[""]`, "f.yaml:1:3: \"x {{ colour }}\" names colour, which is no input\n  hint: declare it under inputs: in upgrade.yaml"},
		"- 'x {{ cluster | upper }}'":       {`[""]`, "f.yaml:1:3: \"x {{ cluster | upper }}\": only {{ input }} can stand here\n  hint: this is decided when planning, before Ansible's variables are known"},
		"- '{% if x %}{{ cluster }}'":       {`[""]`, "f.yaml:1:3: \"{% if x %}{{ cluster }}\": only {{ input }} can stand here\n  hint: this is decided when planning, before Ansible's variables are known"},
	} {
		var sink Sink
		top, ok := Parse(File{Name: "f.yaml", Text: []byte(text)}, &sink)
		require.True(t, ok)
		require.Equal(t, want.json, top.Substitute(vals, &sink).JSON())
		require.Equal(t, want.says, sink.Problems().Error())
	}
}

func TestProblemsAreSortedAndEachOnce(t *testing.T) {
	var sink, other Sink
	at := func(line, col int) Pos { return Pos{"b.yaml", line, col} }
	sink.Errorf(at(2, 1), "second").WithHint("mend it")
	sink.Warnf(at(1, 9), "first")
	sink.Errorf(at(10, 1), "last")
	other.Errorf(Pos{File: "a.yaml"}, "other file")
	other.Errorf(at(10, 1), "last")
	other.Errorf(Pos{}, "no file")
	sink.Merge(other.Problems())
	require.True(t, sink.Failed())
	require.Equal(t, "no file\na.yaml: other file\nb.yaml:1:9: warning: first\nb.yaml:2:1: second\n  hint: mend it\nb.yaml:10:1: last", sink.Problems().Error())
	require.Equal(t, 1, sink.Problems().Count(Warning))
	require.Equal(t, "b.yaml:2", at(2, 1).Short())
	var quiet Sink
	quiet.Warnf(at(1, 1), "only this")
	require.False(t, quiet.Failed())
}
