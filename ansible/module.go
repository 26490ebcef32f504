package ansible

import (
	_ "embed" // the list of modules
	"slices"
	"strings"

	"github.com/upstep/upstep/source"
)

// builtinList names the modules of ansible-core 2.14 to 2.19, one a line.
//
//go:embed modules.txt
var builtinList string

const builtin = "ansible.builtin."

func builtins() []string { return strings.Fields(builtinList) }

// ModuleHint gives what the author of an unknown module's name probably meant, or
// how to get the module; "" when nothing is known.
func ModuleHint(name string) string {
	short := strings.TrimPrefix(strings.TrimPrefix(name, builtin), "ansible.legacy.")
	if parts := strings.Split(short, "."); len(parts) > 2 {
		return "its collection must be installed: ansible-galaxy collection install " + parts[0] + "." + parts[1]
	} else if len(parts) == 2 {
		// "builtin.copy", "ansible.copy"
		if short = parts[1]; slices.Contains(builtins(), short) {
			return didYouMean(short)
		}
		return `a collection's module is named in three parts, such as "community.general.` + short + `"`
	}
	if meant := slip(strings.ToLower(short)); meant != "" {
		return didYouMean(meant)
	}
	if collection := moved(short); collection != "" {
		return `use "` + collection + "." + short + `"; its collection must be installed: ansible-galaxy collection install ` + collection
	}
	if slices.Contains(builtins(), short) {
		return "this version of Ansible does not have it"
	}
	if near := source.Nearest(short, builtins()); near != "" {
		return didYouMean(near)
	}
	return ""
}

func didYouMean(module string) string { return `did you mean "` + builtin + module + `"?` }

// slip gives the module that people mean who write a command's name, or another
// tool's word, where a module belongs.
func slip(name string) string {
	switch name {
	case "exec", "run", "sh", "bash", "zsh", "shell_command", "run_shell":
		return "shell"
	case "cmd", "execute", "commands", "run_command":
		return "command"
	case "pkg", "packages", "install":
		return "package"
	case "apt-get", "apt_get", "aptitude":
		return "apt"
	case "rpm", "yum":
		return "dnf"
	case "daemon", "svc", "services":
		return "service"
	case "systemctl":
		return "systemd_service"
	case "cp", "scp", "upload":
		return "copy"
	case "mkdir", "rm", "touch", "ln", "chmod", "chown", "directory", "symlink":
		return "file"
	case "echo", "print", "log", "msg":
		return "debug"
	case "sleep", "prompt":
		return "pause"
	case "wget", "curl", "download":
		return "get_url"
	case "tar", "untar", "unzip":
		return "unarchive"
	case "sed":
		return "replace"
	case "useradd", "adduser":
		return "user"
	case "groupadd", "addgroup":
		return "group"
	case "restart_host", "restart_machine", "shutdown":
		return "reboot"
	case "include", "tasks", "import":
		return "import_tasks"
	case "include_playbook":
		return "import_playbook"
	case "set_facts", "set_var", "vars_set":
		return "set_fact"
	}
	return ""
}

// moved gives the collection that took a module which Ansible once had itself.
func moved(name string) string {
	switch name {
	case "acl", "at", "authorized_key", "firewalld", "mount", "patch", "seboolean", "selinux", "synchronize", "sysctl":
		return "ansible.posix"
	case "alternatives", "archive", "cpanm", "dconf", "filesystem", "flatpak", "gem", "git_config", "htpasswd", "ini_file",
		"interfaces_file", "java_cert", "jenkins_job", "ldap_attrs", "ldap_entry", "lvg", "lvol", "mail", "make", "modprobe",
		"monit", "nmcli", "npm", "open_iscsi", "openwrt_init", "pacemaker_cluster", "pacman", "pam_limits", "parted", "pids",
		"redhat_subscription", "rhsm_repository", "runit", "sefcontext", "seport", "slack", "snap", "ssh_config", "sudoers",
		"supervisorctl", "telegram", "timezone", "ufw", "xattr", "xml", "yarn", "zfs", "zypper", "zypper_repository":
		return "community.general"
	case "mysql_db", "mysql_info", "mysql_query", "mysql_replication", "mysql_user", "mysql_variables":
		return "community.mysql"
	case "postgresql_db", "postgresql_info", "postgresql_ping", "postgresql_query", "postgresql_user":
		return "community.postgresql"
	case "rabbitmq_exchange", "rabbitmq_parameter", "rabbitmq_plugin", "rabbitmq_policy", "rabbitmq_queue", "rabbitmq_user",
		"rabbitmq_vhost":
		return "community.rabbitmq"
	case "docker_compose", "docker_container", "docker_image", "docker_login", "docker_network", "docker_volume":
		return "community.docker"
	case "acme_certificate", "openssl_certificate", "openssl_csr", "openssl_privatekey", "x509_certificate":
		return "community.crypto"
	case "openvswitch_bridge", "openvswitch_db", "openvswitch_port":
		return "openvswitch.openvswitch"
	case "podman_container", "podman_image", "podman_volume":
		return "containers.podman"
	case "k8s", "k8s_exec", "k8s_info", "k8s_scale", "helm":
		return "kubernetes.core"
	case "virt", "virt_net", "virt_pool":
		return "community.libvirt"
	case "win_command", "win_copy", "win_feature", "win_file", "win_package", "win_reboot", "win_service", "win_shell":
		return "ansible.windows"
	}
	return ""
}
