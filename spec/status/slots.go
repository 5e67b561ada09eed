package status

import (
	"time"

	"portico/spec"
)

// Slots is where the table of an l4 listener is.
type Slots struct {
	// Generation grows by one whenever the targets change.
	Generation uint64 `json:"generation"`
	Targets    int    `json:"targets"`
	// Until is when the flows of the generation before have no second chance any
	// more, and the next change may be made; zero when there are none.
	Until time.Time `json:"until,omitzero"`
	// From is the node whose flows have the second chance instead, because it sends
	// them to other targets; no change waits for those. "" where there is none.
	From spec.NodeName `json:"from,omitempty"`
	// Waits says that a change of targets waits until then.
	Waits bool `json:"waits,omitempty"`
	// Moved counts the slots that got another owner since start; AtRisk those whose
	// flows may have broken by it, because a change could not wait.
	Moved  uint64 `json:"moved"`
	AtRisk uint64 `json:"atRisk"`
}
