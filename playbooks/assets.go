package playbooks

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"

	"github.com/upstep/upstep/planner"
)

// ReadAssets takes the bytes of packs' files, of which a plan document has only the
// digests, from the tree that was emitted with it. The error names the first that is
// missing or was changed.
func ReadAssets(dir string, p *planner.Plan) error {
	for i := range p.Services {
		svc := &p.Services[i]
		if !packRole(svc) {
			continue
		}
		for j := range svc.Assets {
			a := &svc.Assets[j]
			name := filepath.Join(dir, "roles", svc.Name, filepath.FromSlash(a.Path))
			data, err := os.ReadFile(name) //nolint:gosec // below the tree that the operator names
			if err != nil {
				return fmt.Errorf("file of pack %s: %w", svc.Name, err)
			}
			if sum := sha256.Sum256(data); hex.EncodeToString(sum[:]) != a.SHA256 {
				return fmt.Errorf("%s is not what was planned", name)
			}
			a.Data = data
		}
	}
	return nil
}
