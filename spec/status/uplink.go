package status

// Uplink is an interface that the kernel of an l4 node takes packets of VIPs from.
type Uplink struct {
	Interface string `json:"interface"`
	// Attached says whether the program is on it now.
	Attached bool `json:"attached"`
	// Generic says that the kernel runs the program for the driver, which is slower.
	Generic bool `json:"generic,omitempty"`
	// Reason says why it is not attached.
	Reason string `json:"reason,omitempty"`
}

// String says whether and how packets are taken.
func (u Uplink) String() string {
	switch {
	case u.Attached && u.Generic:
		return "taken, without the driver: slower"
	case u.Attached:
		return "taken"
	}
	return "not taken: " + u.Reason
}
