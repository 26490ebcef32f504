package services

import (
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/source"
)

// world is a project's folders in memory.
func world(files map[string]string) fstest.MapFS {
	out := fstest.MapFS{}
	for name, text := range files {
		out[name] = &fstest.MapFile{Data: []byte(text), Mode: 0o644}
	}
	return out
}

// given loads packs and gives them their values.
func given(t *testing.T, packs, values map[string]string) ([]Service, source.Problems) {
	t.Helper()
	sink := &source.Sink{}
	all := Load(world(packs), "services", sink)
	v := ReadValues(world(values), "parameters", sink)
	v.Give(all, sink)
	v.Unknown(sink)
	return all, sink.Problems()
}

func pack(text string) map[string]string {
	return map[string]string{"web/service.yaml": "service_name: web\nvars:\n  own: 1\n", "web/pack.yaml": "name: web\nversion: 1.0.0\n" + text}
}

func TestEveryMistakeInAPackIsNamedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		text string // of pack.yaml
		want string
	}{
		"nothing in it":                    {"", "services/web/pack.yaml: file is empty"},
		"a list":                           {"- name: web", "services/web/pack.yaml:1:1: the pack must be a mapping, not a list\n  hint: begin with name: web"},
		"an unknown key":                   {"name: web\nversion: 1.0.0\nparameter: {}\n", "services/web/pack.yaml:3:1: unknown key \"parameter\" in the pack\n  hint: did you mean \"parameters\"?"},
		"no name":                          {"version: 1.0.0\n", "services/web/pack.yaml:1:1: the pack has no name"},
		"another's name":                   {"name: wbe\nversion: 1.0.0\n", "services/web/pack.yaml:1:7: the pack's name \"wbe\" is not that of its service\n  hint: service_name is web (services/web/service.yaml:1)"},
		"no version":                       {"name: web\n", "services/web/pack.yaml:1:1: the pack has no version"},
		"no version at all":                {"name: web\nversion: new\n", "services/web/pack.yaml:2:10: \"new\" is no version of a pack"},
		"a version that is a path":         {"name: web\nversion: 1/../2\n", "services/web/pack.yaml:2:10: \"1/../2\" is no version of a pack"},
		"a need that is a word":            {"name: web\nversion: 1.0.0\nneeds: [base]\n", "services/web/pack.yaml:3:9: a need must be a mapping, not a single value"},
		"a need of itself":                 {"name: web\nversion: 1.0.0\nneeds: [{pack: web}]\n", "services/web/pack.yaml:3:9: the pack needs itself"},
		"a need twice":                     {"name: web\nversion: 1.0.0\nneeds: [{pack: db}, {pack: db}]\n", "services/web/pack.yaml:3:21: \"db\" stands twice in needs"},
		"a range that is none":             {"name: web\nversion: 1.0.0\nneeds: [{pack: db, version: new}]\n", "services/web/pack.yaml:3:29: \"new\" is no range of versions"},
		"a need that is not there":         {"name: web\nversion: 1.0.0\nneeds: [{pack: db}]\n", "services/web/pack.yaml:3:9: pack web needs pack db, which is not installed"},
		"parameters that are a list":       {"name: web\nversion: 1.0.0\nparameters: [port]\n", "services/web/pack.yaml:3:13: parameters must be a mapping, not a list"},
		"a parameter that is a word":       {"name: web\nversion: 1.0.0\nparameters: {port: integer}\n", "services/web/pack.yaml:3:20: parameter \"port\" must be a mapping, not a single value\n  hint: write port: {type: string}"},
		"a parameter without a type":       {"name: web\nversion: 1.0.0\nparameters: {port: {minimum: 1}}\n", "services/web/pack.yaml:3:14: parameter \"port\" has no type"},
		"a type of another language":       {"name: web\nversion: 1.0.0\nparameters: {port: {type: list}}\n", "services/web/pack.yaml:3:27: unknown type \"list\" of parameter \"port\"\n  hint: write array"},
		"a misspelt keyword":               {"name: web\nversion: 1.0.0\nparameters: {port: {type: integer, minimun: 1}}\n", "services/web/pack.yaml:3:36: unknown key \"minimun\" in parameter \"port\"\n  hint: did you mean \"minimum\"?"},
		"a misspelt keyword further below": {"name: web\nversion: 1.0.0\nparameters: {a: {type: array, items: {type: string, patern: a}}}\n", "services/web/pack.yaml:3:53: unknown key \"patern\" in parameter \"a\"\n  hint: did you mean \"pattern\"?"},
		"a schema of somewhere else":       {"name: web\nversion: 1.0.0\nparameters: {a: {type: string, $ref: file:///etc/passwd}}\n", "services/web/pack.yaml:3:32: unknown key \"$ref\" in parameter \"a\""},
		"a keyword with a wrong value":     {"name: web\nversion: 1.0.0\nparameters: {port: {type: integer, minimum: low}}\n", "services/web/pack.yaml:3:45: parameter \"port\" is no JSON Schema: must be of type number, not string"},
		"a pattern that is none":           {"name: web\nversion: 1.0.0\nparameters: {port: {type: string, pattern: \"(\"}}\n", "services/web/pack.yaml:3:"},
		"a default that is no number":      {"name: web\nversion: 1.0.0\nparameters: {n: {type: number, minimum: 0, default: .nan}}\n", "services/web/pack.yaml:3:53: .nan is no number that a parameter can have"},
		"a bound that is no number":        {"name: web\nversion: 1.0.0\nparameters: {n: {type: number, maximum: .inf}}\n", "services/web/pack.yaml:3:41: .inf is no number that a parameter can have"},
		"a version with nothing behind -":  {"name: web\nversion: 1.0.0-\n", "services/web/pack.yaml:2:10: \"1.0.0-\" is no version of a pack"},
		"a version of another notation":    {"name: web\nversion: 1e3\n", "services/web/pack.yaml:2:10: \"1e3\" is no version of a pack"},
		"a secret that is not encrypted":   {"name: web\nversion: 1.0.0\nparameters: {key: {type: string, secret: true, default: !vault abc}}\n", "services/web/pack.yaml:3:57: the default of parameter \"key\" is secret and must not stand here in clear"},
		"a default that does not fit":      {"name: web\nversion: 1.0.0\nparameters: {port: {type: integer, maximum: 9, default: 10}}\n", "services/web/pack.yaml:3:57: the default of parameter \"port\" must be 9 or less, not 10"},
		"a secret default in clear":        {"name: web\nversion: 1.0.0\nparameters: {key: {type: string, secret: true, default: abc}}\n", "services/web/pack.yaml:3:57: the default of parameter \"key\" is secret and must not stand here in clear"},
		"a parameter that is a variable":   {"name: web\nversion: 1.0.0\nparameters: {own: {type: string, default: a}}\n", "services/web/pack.yaml:3:14: parameter \"own\" is a variable of the service too"},
		"a parameter of upstep's own":      {"name: web\nversion: 1.0.0\nparameters: {upstep_x: {type: string}}\n", "services/web/pack.yaml:3:14: parameter \"upstep_x\" is set by upstep itself"},
		"a parameter that is no name":      {"name: web\nversion: 1.0.0\nparameters: {a-b: {type: string}}\n", "services/web/pack.yaml:3:14: parameter name \"a-b\" cannot be used"},
	} {
		t.Run(name, func(t *testing.T) {
			files := pack("")
			files["web/pack.yaml"] = c.text
			_, problems := given(t, files, nil)
			require.ErrorContains(t, problems, c.want)
		})
	}
}

func TestEveryValueThatDoesNotFitIsNamedWithItsPlace(t *testing.T) {
	const parameters = `parameters:
  port: {type: integer, minimum: 1, maximum: 65535}
  name: {type: string, pattern: "^[a-z]+$"}
  level: {type: string, enum: [low, high]}
  hosts: {type: array, items: {type: string}, minItems: 1, uniqueItems: true}
  limits: {type: object, properties: {cpu: {type: number}}, required: [cpu], additionalProperties: false}
  either: {anyOf: [{type: string}, {type: array}], type: [string, array, boolean]}
  key: {type: string, secret: true}
`
	for name, c := range map[string]struct{ values, want string }{
		"a list":                     {"[port]", "parameters/web.yaml:1:1: values of parameters must be a mapping, not a list"},
		"a misspelt name":            {"prot: 1\n", "parameters/web.yaml:1:1: unknown parameter \"prot\" of pack web\n  hint: did you mean \"port\"?"},
		"an unknown name":            {"something: 1\n", "parameters/web.yaml:1:1: unknown parameter \"something\" of pack web\n  hint: it has either, hosts, key, level, limits, name, port"},
		"a number without an end":    {"port: .inf\n", "parameters/web.yaml:1:7: .inf is no number that a parameter can have"},
		"a wrong type":               {"port: many\n", "parameters/web.yaml:1:7: parameter \"port\" must be of type integer, not string"},
		"nothing":                    {"port:\n", "parameter \"port\" must be of type integer, not null"},
		"too much":                   {"port: 70000\n", "parameters/web.yaml:1:7: parameter \"port\" must be 65535 or less, not 70000"},
		"a number without quotes":    {"name: 1.10\n", "parameters/web.yaml:1:7: parameter \"name\" must be of type string, not number\n  hint: put it in quotes: \"1.10\""},
		"yes without quotes":         {"name: yes\n", "parameter \"name\" must be of type string, not boolean\n  hint: put it in quotes: \"yes\""},
		"a pattern":                  {"name: A\n", "parameters/web.yaml:1:7: parameter \"name\" does not fit: 'A' does not match pattern '^[a-z]+$'"},
		"none of a few":              {"level: middle\n", "parameters/web.yaml:1:8: parameter \"level\" must be one of 'low', 'high'"},
		"an element":                 {"hosts:\n  - a\n  - {b: c}\n", "parameters/web.yaml:3:5: element 2 of parameter \"hosts\" must be of type string, not object"},
		"too few":                    {"hosts: []\n", "parameters/web.yaml:1:8: parameter \"hosts\" does not fit: minItems: got 0, want 1"},
		"a key that must be there":   {"limits: {}\n", "parameters/web.yaml:1:9: parameter \"limits\" lacks cpu"},
		"a key too many":             {"limits: {cpu: 1, ram: 2}\n", "parameters/web.yaml:1:9: parameter \"limits\" has the unknown ram"},
		"a key's value":              {"limits: {cpu: few}\n", "parameters/web.yaml:1:15: cpu of parameter \"limits\" must be of type number, not string"},
		"neither of two":             {"either: true\n", "parameters/web.yaml:1:9: parameter \"either\" fits none of what its schema allows"},
		"a secret in clear":          {"key: abc\n", "parameters/web.yaml:1:6: parameter \"key\" is secret and must not stand here in clear"},
		"a value that names itself":  {"name: \"{{ name }}\"\n", "parameters/web.yaml:1:7: the value of parameter \"name\" names the parameter itself"},
		"a wrong element among open": {"hosts: [\"{{ a }}\", {b: c}]\n", "parameters/web.yaml:1:20: element 2 of parameter \"hosts\" must be of type string, not object"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := given(t, pack(parameters), map[string]string{"web.yaml": c.values})
			require.ErrorContains(t, problems, c.want)
		})
	}
}

func TestValuesAndDefaultsBecomeVariables(t *testing.T) {
	all, problems := given(t, pack(`parameters:
  port: {type: integer, default: 80}
  unset: {type: string}
  name: {type: string, required: true}
  hosts: {type: array, items: {type: string}}
  key: {type: string, secret: true}
  note: {type: string}
`), map[string]string{"web.yaml": `# of this site
note: |
  one
    two
name: "{{ site }}-web" # as the others
hosts: ["{{ first }}", b]
key: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  6133
`})
	require.Empty(t, problems)
	require.Equal(t, `own: 1
port: 80
name: "{{ site }}-web" # as the others
hosts: ["{{ first }}", b]
key: !vault |
  $ANSIBLE_VAULT;1.1;AES256
  6133
# of this site
note: |
  one
    two
`, all[0].Vars.Text)
	require.Equal(t, []string{"own", "port", "name", "hosts", "key", "note"}, all[0].Vars.Names)
	require.Equal(t, []string{"site"}, all[0].Vars.Uses["name"])
	require.Equal(t, "parameters/web.yaml", all[0].Pack.ValuesFile)
	require.Len(t, all[0].Pack.ValuesDigest, 64)
}

func TestAParameterThatMustHaveAValueIsAskedFor(t *testing.T) {
	_, problems := given(t, pack("parameters:\n  port: {type: integer, required: true, description: where it listens}\n"), nil)
	require.ErrorContains(t, problems, "services/web/pack.yaml:4:3: parameter \"port\" of pack web has no value (where it listens)\n  hint: write port: VALUE into parameters/web.yaml")
}

func TestValuesForNoPackAreAWarning(t *testing.T) {
	_, problems := given(t, pack(""), map[string]string{"wbe.yaml": "port: 1\n"})
	require.ErrorContains(t, problems, "parameters/wbe.yaml: warning: values for \"wbe\", and there is no pack of that name")
}

func TestValuesOfSeveralVersionsAreKnownIfOneOfThemTakesThem(t *testing.T) {
	sink := &source.Sink{}
	v := ReadValues(world(map[string]string{"web.yaml": "old: 1\nnew: 2\nlater: 3\nnone: 4\n"}), "parameters", sink)
	for _, name := range []string{"old", "new"} {
		v.Give(Load(world(pack("parameters: {"+name+": {type: integer}}\n")), "services", sink), sink)
	}
	v.Know(Load(world(pack("parameters: {later: {type: integer}}\n")), "services", sink))
	v.Unknown(sink)
	require.Len(t, sink.Problems(), 1)
	require.ErrorContains(t, sink.Problems(), "unknown parameter \"none\"")
}

func TestNeedsAreRangesOfVersions(t *testing.T) {
	for version, fits := range map[string]bool{"1.1": false, "1.2": true, "1.10.3": true, "2.0": false, "": false} {
		files := pack("needs: [{pack: db, version: \">= 1.2, < 2\"}]\n")
		files["db/service.yaml"] = "service_name: db\n"
		if version != "" {
			files["db/pack.yaml"] = "name: db\nversion: " + version + "\n"
		}
		_, problems := given(t, files, nil)
		require.Equal(t, fits, len(problems) == 0, "%s: %v", version, problems)
	}
}

func TestAPackHasAReadme(t *testing.T) {
	sink := &source.Sink{}
	LoadPack(world(pack("")), "web", "web", sink)
	require.ErrorContains(t, sink.Problems(), "web: a pack has a README.md, and this folder has none")
	sink = &source.Sink{}
	LoadPack(world(map[string]string{"web/service.yaml": "service_name: web\n", "web/README.md": "# web\n"}), "web", "web", sink)
	require.ErrorContains(t, sink.Problems(), "web: a pack has a pack.yaml, and this folder has none\n  hint: write name: web and version: 1.0.0 into web/pack.yaml")
}

func FuzzPack(f *testing.F) {
	f.Add("parameters:\n  a: {type: array, items: {type: string, pattern: \"^a\"}, default: [a]}\nneeds: [{pack: b, version: \"~> 1\"}]\n", "a: [b]\n")
	f.Add("parameters: {a: {type: object, properties: {b: {type: integer}}}}", "a: {b: \"{{ c }}\"}")
	f.Add("parameters: {a: {type: [string, 1], anyOf: [true, {not: {}}]}}", "a: !vault x")
	f.Fuzz(func(t *testing.T, text, values string) {
		_, problems := given(t, pack(text), map[string]string{"web.yaml": values})
		for _, p := range problems {
			require.NotEmpty(t, p.File, "%v", p)
		}
	})
}
