package ansible

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestModuleHint(t *testing.T) {
	for name, want := range map[string]string{
		"exec":                     `did you mean "ansible.builtin.shell"?`,
		"ansible.builtin.exec":     `did you mean "ansible.builtin.shell"?`,
		"Run":                      `did you mean "ansible.builtin.shell"?`,
		"sh":                       `did you mean "ansible.builtin.shell"?`,
		"bash":                     `did you mean "ansible.builtin.shell"?`,
		"cmd":                      `did you mean "ansible.builtin.command"?`,
		"pkg":                      `did you mean "ansible.builtin.package"?`,
		"systemctl":                `did you mean "ansible.builtin.systemd_service"?`,
		"comand":                   `did you mean "ansible.builtin.command"?`,
		"ansible.builtin.tempalte": `did you mean "ansible.builtin.template"?`,
		"ansible.legacy.servce":    `did you mean "ansible.builtin.service"?`,
		"builtin.copy":             `did you mean "ansible.builtin.copy"?`,
		"general.ufw":              `a collection's module is named in three parts, such as "community.general.ufw"`,
		"community.general.ufw":    "its collection must be installed: ansible-galaxy collection install community.general",
		"a.b.c.d":                  "its collection must be installed: ansible-galaxy collection install a.b",
		"ini_file":                 `use "community.general.ini_file"; its collection must be installed: ansible-galaxy collection install community.general`,
		"sysctl":                   `use "ansible.posix.sysctl"; its collection must be installed: ansible-galaxy collection install ansible.posix`,
		"deb822_repository":        "this version of Ansible does not have it",
		"zzzzzzzzzzzz":             "",
		"":                         "",
	} {
		require.Equal(t, want, ModuleHint(name), name)
	}
}

func TestEverySlipPointsToAModuleThatExists(t *testing.T) {
	require.True(t, slices.IsSorted(builtins()))
	for _, name := range []string{
		"exec", "cmd", "pkg", "apt_get", "rpm", "daemon", "systemctl", "cp", "mkdir", "echo", "sleep", "wget", "tar", "sed",
		"useradd", "groupadd", "shutdown", "include", "include_playbook", "set_facts",
	} {
		require.Contains(t, builtins(), slip(name), name)
		require.NotContains(t, builtins(), name)
	}
}
