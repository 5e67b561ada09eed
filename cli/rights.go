package cli

import (
	"errors"
	"log/slog"

	"portico/internal/capability"
	"portico/node"
	"portico/spec"
)

// lower gives up what of root's power no spec can need, before any file is read:
// what can be read at first can then be read again. Mounting stays until settle.
func lower(log *slog.Logger) {
	if err := capability.Keep(node.Uses, capability.SysAdmin); err != nil {
		log.Warn("capabilities are not given up; build with CGO_ENABLED=0", "error", err)
	}
}

// settle gives up what only a start needs, and tells what the node needs, what of
// that it lacks, and what it has.
func settle(log *slog.Logger, needs []node.Need) {
	if err := capability.Keep(node.Uses, 0); err != nil && !errors.Is(err, errors.ErrUnsupported) { // lower told of that
		log.Warn("capabilities are not given up", "error", err)
	}
	var all capability.Set
	for _, n := range needs {
		all |= n.Capability
		if lacks := n.Capability.Missing(); lacks != 0 {
			log.Warn("capability missing", "capability", lacks.String(), "for", n.For, "help", lacks.Grant())
		}
	}
	log.Info("capabilities", "needed", all.String(), "has", capability.Have().String())
}

// needs is what a node needs for the spec that it serves.
func (h *host) needs(path spec.Datapath) []node.Need {
	return node.Needs(h.node.Spec(), h.node.Name(), path)
}
