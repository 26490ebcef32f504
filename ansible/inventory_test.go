package ansible

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestInventoryReadsEveryKindOfSource(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"hosts.ini":             "[web]\nw1 color=red\nw2\n",
		"inv/a.yml":             "all: {children: {db: {hosts: {d1: }}}}\n",
		"inv/b":                 "[cache]\nc1\n",
		"inv/group_vars/db.yml": "size: 3\n",
		"dyn.sh":                "#!/bin/sh\necho '{\"dyn\": {\"hosts\": [\"x1\"]}}'\n",
		"built.yml": "plugin: ansible.builtin.constructed\nstrict: true\nuse_extra_vars: true\n" +
			"groups: {reds: color | default() == 'red'}\nkeyed_groups: [{key: want, prefix: want}]\n",
		"ansible.cfg": "[inventory]\nenable_plugins = host_list, script, auto, yaml, ini\n",
	})
	out, err := New(Options{Dir: dir}).Inventory(t.Context(),
		[]string{"hosts.ini", "inv", "dyn.sh", "l1,l2", "./built.yml"}, map[string]any{"want": "blue", "odd": "a 'b' \"c\" {{ d"})
	require.NoError(t, err)
	var got struct {
		Meta struct {
			HostVars map[string]map[string]any `json:"hostvars"`
		} `json:"_meta"`
		Web, DB, Cache, Dyn, Reds struct{ Hosts []string }
		WantBlue                  struct{ Hosts []string } `json:"want_blue"`
	}
	require.NoError(t, json.Unmarshal(out, &got))
	require.Equal(t, []string{"w1", "w2"}, got.Web.Hosts)
	require.Equal(t, []string{"d1"}, got.DB.Hosts)
	require.Equal(t, []string{"c1"}, got.Cache.Hosts)
	require.Equal(t, []string{"x1"}, got.Dyn.Hosts)
	require.Equal(t, []string{"w1"}, got.Reds.Hosts)
	require.Contains(t, got.WantBlue.Hosts, "l2")
	require.InDelta(t, 3, got.Meta.HostVars["d1"]["size"], 0)
	require.Equal(t, "a 'b' \"c\" {{ d", got.Meta.HostVars["d1"]["odd"])
}

func TestInventoryTellsWhichSourceFailsAndWhy(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"good.ini":                 "h1\n",
		"bad.ini":                  "[web\nh1 = = :\n",
		"line.ini":                 "[web]\nh1 a=1 b\n",
		"hosts":                    "[web]\nh1\n[web:vras]\na=1\n",
		"yaml":                     "---\nall:\n  hosts: {\n",
		"bad.yml":                  "all:\n  hosts:\n    a: {\n",
		"list.yml":                 "all:\n  hosts: [a, b]\n",
		"bad.sh":                   "#!/bin/sh\necho the CMDB is down >&2\nexit 3\n",
		"mute.sh":                  "#!/bin/sh\nfalse\n",
		"silent.sh":                "#!/bin/sh\n",
		"text.sh":                  "#!/bin/sh\necho hello\n",
		"gone.sh":                  "#!/no/such/interpreter\n",
		"bare.sh":                  "{}\n",
		"script.py":                "#!/usr/bin/python3\nprint('{}')\n",
		"group/hosts":              "[web]\nh1\n",
		"group/group_vars/web.yml": "a: 1\nb: {\n",
		"mixed/a.ini":              "h1\n",
		"mixed/b.sh":               "#!/bin/sh\nfalse\n",
		"plugin.yml":               "plugin: no.such.plugin\n",
		"folder/ok.ini":            "h2\n",
		"folder/no.yml":            "all:\n  hosts:\n    a: {\n",
		"empty/.keep":              "",
	})
	for name, c := range map[string]struct {
		sources []string
		want    string
	}{
		"a missing file":                 {[]string{"good.ini", "none.ini"}, "inventory none.ini: no such file or directory"},
		"an empty name":                  {[]string{""}, "inventory : the source is empty"},
		"ini syntax":                     {[]string{"bad.ini"}, "inventory bad.ini: "},
		"yaml syntax with its line":      {[]string{"bad.yml"}, "inventory bad.yml:3:8: not valid YAML: { is opened here and not closed"},
		"yaml of another shape":          {[]string{"list.yml"}, "inventory list.yml: "},
		"a script that fails":            {[]string{"bad.sh"}, "inventory bad.sh: the script failed: the CMDB is down"},
		"an ini file's line":             {[]string{"line.ini"}, "inventory line.ini:2: Expected key=value host variable assignment, got: b"},
		"a file without an extension":    {[]string{"hosts"}, "inventory hosts:3: Section [web:vras] has unknown type: vras (tried as yaml too)"},
		"yaml without an extension":      {[]string{"yaml"}, "inventory yaml:3:10: not valid YAML: { is opened here and not closed"},
		"a script that fails mutely":     {[]string{"mute.sh"}, "inventory mute.sh: the script failed and said nothing"},
		"a script that says nothing":     {[]string{"silent.sh"}, "inventory silent.sh: the script's output is not JSON: Expecting value: line 1 column 1 (char 0)"},
		"a script that says no JSON":     {[]string{"text.sh"}, "inventory text.sh: the script's output is not JSON: Expecting value: line 1 column 1 (char 0)"},
		"a script without interpreter":   {[]string{"gone.sh"}, "inventory gone.sh: the script's interpreter does not exist"},
		"a script without a first line":  {[]string{"bare.sh"}, "inventory bare.sh: the script has no #! line that names its interpreter"},
		"a script that nobody may run":   {[]string{"script.py"}, "inventory script.py: begins as a script (#!) but is not executable"},
		"a script among others":          {[]string{"good.ini", "mute.sh"}, "inventory mute.sh: the script failed"},
		"a script of a folder":           {[]string{"mixed"}, "inventory mixed/b.sh: the script failed"},
		"group_vars":                     {[]string{"group/hosts"}, "inventory group/group_vars/web.yml:2:4: not valid YAML: { is opened here and not closed"},
		"a plugin that is not installed": {[]string{"plugin.yml"}, "inventory plugin.yml: inventory config 'plugin.yml' specifies unknown plugin 'no.such.plugin'"},
		"a folder without sources":       {[]string{"empty"}, "inventory empty: Ansible can't read it as an inventory"},
		"one bad source of several":      {[]string{"good.ini", "bad.yml", "h1,"}, "inventory bad.yml:3:8: not valid YAML"},
		"one bad file of a folder":       {[]string{"folder"}, "inventory folder/no.yml:3:8: not valid YAML"},
		"a source given by its whole path": {
			[]string{filepath.Join(dir, "bad.yml")}, "inventory " + filepath.Join(dir, "bad.yml") + ":3:8: not valid YAML",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Dir: dir}).Inventory(t.Context(), c.sources, nil)
			var e *SourceError
			require.ErrorAs(t, err, &e)
			require.Contains(t, err.Error(), c.want)
		})
	}
}

func TestAnUnparsableInventoryOfAnsible219(t *testing.T) {
	dir := tree(t, map[string]string{"inv.yml": "plugin: x\n"})
	fake(t, "ansible-inventory", `cat >&2 <<EOF
[WARNING]: Deprecation warnings can be disabled by setting something
[WARNING]: Failed to parse inventory with 'auto' plugin: Failed to import the
required Python library (pyvmomi)

Failed to parse inventory with 'auto' plugin.

<<< caused by >>>

Failed to import the required Python library (pyvmomi)
Origin: <inventory plugin 'auto' with source '$PWD/inv.yml'>

[WARNING]: Failed to parse inventory with 'yaml' plugin: Plugin configuration YAML file, not YAML inventory

[ERROR]: Completely failed to parse inventory source $PWD/inv.yml
EOF
exit 1`)
	_, err := New(Options{Dir: dir}).Inventory(t.Context(), []string{"inv.yml"}, nil)
	require.EqualError(t, err, "inventory inv.yml: Failed to import the required Python library (pyvmomi)")
}

func TestAFileBesideTheInventoryThatIsClosed(t *testing.T) {
	fake(t, "ansible-inventory", `echo "ERROR! an error occurred while trying to read the file '$PWD/group_vars/web.yml': [Errno 13] Permission denied: b'$PWD/group_vars/web.yml'. [Errno 13] Permission denied" >&2; exit 4`)
	_, err := New(Options{Dir: t.TempDir()}).Inventory(t.Context(), nil, nil)
	require.EqualError(t, err, "inventory group_vars/web.yml: permission denied")
}

func TestAScriptIsAskedOnceMoreOnlyWhenItLooksRead(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{
		"dyn.sh":   "#!/bin/sh\necho >> asked\necho '{\"web\": {\"hosts\": [\"h1\"]}, \"_meta\": {\"hostvars\": {}}}'\n",
		"empty.sh": "#!/bin/sh\necho {}\n",
	})
	out, err := New(Options{Dir: dir}).Inventory(t.Context(), []string{"dyn.sh", "empty.sh"}, nil)
	require.NoError(t, err)
	require.True(t, hostsOf(out)["h1"])
	asked, err := os.ReadFile(filepath.Join(dir, "asked"))
	require.NoError(t, err)
	require.Equal(t, "\n", string(asked))
}

func TestWarningsDoNotSpoilAnInventory(t *testing.T) {
	fake(t, "ansible-inventory", "echo '[WARNING]: Invalid characters were found in group names' >&2\n"+emptyJSON)
	_, err := New(Options{}).Inventory(t.Context(), nil, nil)
	require.NoError(t, err)
}

func TestAnOutputThatIsNoJSONIsAnError(t *testing.T) {
	fake(t, "ansible-inventory", "echo hello; echo '{}'")
	_, err := New(Options{}).Inventory(t.Context(), nil, nil)
	require.EqualError(t, err, "ansible-inventory: its output is not JSON: hello")
}

func TestExtraVarsStandInNoArgumentAndNoFileStays(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	fake(t, "ansible-inventory", `
for a; do case $a in --extra-vars=@*) file=${a#*@}; mode=$(stat -c %a "$file"); text=$(cat "$file");; esac; done
case "$*" in *hunter2*) echo leaked >&2; exit 9;; esac
printf '{"mode": "%s", "vars": %s}' "$mode" "$text"`)
	out, err := New(Options{}).Inventory(t.Context(), nil, map[string]any{"password": "hunter2"})
	require.NoError(t, err)
	require.JSONEq(t, `{"mode": "600", "vars": {"password": "hunter2"}}`, string(out))
	left, err := os.ReadDir(tmp)
	require.NoError(t, err)
	require.Empty(t, left)
}

func TestErrorsHoldNoExtraVars(t *testing.T) {
	needAnsible(t)
	for name, args := range map[string][]string{
		"apart":    {"-e", "password='hunter2"},
		"joined":   {"-epassword='hunter2"},
		"long":     {"--extra-vars", "password='hunter2"},
		"equals":   {"--extra-vars=password='hunter2"},
		"as JSON":  {"-e", `{"password": "hunter2"`},
		"a number": {"-e", "hunter2"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(Options{Args: args}).Inventory(t.Context(), []string{"h1,"}, nil)
			if err != nil {
				require.NotContains(t, err.Error(), "hunter2")
			}
			c, err := New(Options{Args: args}).SyntaxCheck(t.Context(),
				tree(t, map[string]string{"a.yml": "- hosts: all\n  tasks: []\n"}), []string{"a.yml"}, nil)
			if err != nil {
				require.NotContains(t, err.Error(), "hunter2")
			}
			for _, f := range c.Findings {
				require.NotContains(t, f.Message, "hunter2")
			}
		})
	}
}

func TestOnlyOptionsThatACommandKnowsAreHandedToIt(t *testing.T) {
	args := []string{
		"--forks", "5", "-e", "@v.yml", "--vault-id=a@b", "-ex=1", "--become", "--vault-password-file", "pw", "-M", "mods", "-vv",
	}
	got, err := ownArgs(args, inventoryOptions())
	require.NoError(t, err)
	require.Equal(t, []string{"-e", "@v.yml", "--vault-id=a@b", "-ex=1", "--vault-password-file", "pw"}, got)
	got, err = ownArgs(args, syntaxOptions())
	require.NoError(t, err)
	require.Equal(t, []string{"-e", "@v.yml", "--vault-id=a@b", "-ex=1", "--vault-password-file", "pw", "-M", "mods"}, got)
	_, err = ownArgs([]string{"--ask-vault-pass"}, inventoryOptions())
	require.ErrorIs(t, err, errAsks)
}

func TestVaultOptionsReachAnsible(t *testing.T) {
	needAnsible(t)
	dir := tree(t, map[string]string{"hosts.ini": "h1\n"})
	_, err := New(Options{Dir: dir, Args: []string{"--vault-password-file", "none"}}).Inventory(t.Context(), []string{"hosts.ini"}, nil)
	require.ErrorContains(t, err, "ansible-inventory: The vault password file")
	require.ErrorContains(t, err, "was not found")
}
