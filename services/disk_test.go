package services_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/upstep/upstep/services"
	"github.com/upstep/upstep/source"
)

func TestWhatAServiceNeedsOfDisks(t *testing.T) {
	all, problems := load(t, map[string]string{"a.yaml": `service_name: a
disk:
  /var/lib/mysql/: 2G
  /: 500MiB
  "/srv/a b": 1.5GB
  /t: 3T
  /k: 1K
`})
	require.Empty(t, problems)
	at := func(line int) source.Pos { return source.Pos{File: "services/a.yaml", Line: line, Column: 3} }
	require.Equal(t, []services.Need{
		{Path: "/var/lib/mysql", Size: "2G", Bytes: 2 << 30, Pos: at(3)},
		{Path: "/", Size: "500MiB", Bytes: 500 << 20, Pos: at(4)},
		{Path: "/srv/a b", Size: "1.5GB", Bytes: 3 << 29, Pos: at(5)},
		{Path: "/t", Size: "3T", Bytes: 3 << 40, Pos: at(6)},
		{Path: "/k", Size: "1K", Bytes: 1 << 10, Pos: at(7)},
	}, all[0].Disk)
}

func TestDisksThatCannotBeAskedFor(t *testing.T) {
	const size = " must be a size such as 500M or 2G, not "
	for name, c := range map[string]struct{ disk, want string }{
		"no mapping":         {"2G", "2:7: disk must be a mapping of paths to sizes, not a single value\n  hint: write disk: {/var/lib/mysql: 2G}"},
		"no size":            {"{/a: }", "2:12: disk of \"/a\"" + size + "nothing\n  hint: K, M, G and T count in steps of 1024"},
		"a list":             {"{/a: [2G]}", "2:12: disk of \"/a\"" + size + "a list\n  hint: K, M, G and T count in steps of 1024"},
		"a bare number":      {"{/a: 2000}", "2:12: disk of \"/a\"" + size + "\"2000\"\n  hint: K, M, G and T count in steps of 1024"},
		"nothing":            {"{/a: 0G}", "2:12: disk of \"/a\"" + size + "\"0G\"\n  hint: K, M, G and T count in steps of 1024"},
		"more than there is": {"{/a: 9000T}", "2:12: disk of \"/a\"" + size + "\"9000T\"\n  hint: K, M, G and T count in steps of 1024"},
		"a small letter":     {"{/a: 2g}", "2:12: disk of \"/a\"" + size + "\"2g\"\n  hint: did you mean 2G?"},
		"a space":            {"{/a: 2 G}", "2:12: disk of \"/a\"" + size + "\"2 G\"\n  hint: did you mean 2G?"},
		"a relative path":    {"{a: 2G}", "2:8: path \"a\" of disk is not absolute\n  hint: write a path of the host, beginning with /, without expressions"},
		"an expression":      {"{'{{ a }}': 2G}", "2:8: path \"{{ a }}\" of disk is an expression\n  hint: write a path of the host, beginning with /, without expressions"},
		"a way about":        {"{/a/../b: 2G}", "2:8: path \"/a/../b\" of disk is not in its shortest form\n  hint: write /b"},
		"twice":              {"{/a: 2G, /a/: 3G}", "2:16: \"/a\" stands twice in disk\n  hint: it stands first at services/a.yaml:2"},
		"a bell":             {"{\"/\\a\": 2G}", "2:8: path \"/\\a\" of disk has a control character (U+0007)\n  hint: take it out"},
	} {
		t.Run(name, func(t *testing.T) {
			_, problems := load(t, map[string]string{"a.yaml": "service_name: a\ndisk: " + c.disk + "\n"})
			require.Equal(t, "services/a.yaml:"+c.want, problems)
		})
	}
}
