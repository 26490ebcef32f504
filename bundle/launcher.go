package bundle

import (
	"bytes"
	_ "embed" // the launcher
	"fmt"
	"strings"
	"text/template"
)

//go:embed launcher.sh
var launcherText string

// launcher writes the script that leads to the upgrade.
func launcher(m *Manifest, oldestAnsible string) ([]byte, error) {
	t, err := template.New(LauncherFile).Parse(launcherText)
	if err != nil {
		return nil, err
	}
	major, minor, _ := strings.Cut(oldestAnsible, ".")
	machine := map[string]string{"amd64": "x86_64", "arm64": "aarch64", "386": "i686", "loong64": "loongarch64"}[m.Architecture]
	if machine == "" {
		machine = m.Architecture
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"M": m, "Major": major, "Minor": minor, "Machine": machine})
	if err != nil {
		return nil, fmt.Errorf("write the launcher: %w", err)
	}
	return b.Bytes(), nil
}
