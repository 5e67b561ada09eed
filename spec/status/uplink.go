package status

// Uplink is an interface that the kernel of an l4 node takes packets of VIPs from.
type Uplink struct {
	Interface string `json:"interface"`
	// Attached says whether the program is on it now.
	Attached bool `json:"attached"`
	// Generic says that the kernel runs the program for the driver, which is slower.
	Generic bool `json:"generic,omitempty"`
	// Reason says why it is not attached, or what is wrong although it is.
	Reason string `json:"reason,omitempty"`
}

// String says whether and how packets are taken.
func (u Uplink) String() string {
	if !u.Attached {
		return "not taken: " + u.Reason
	}
	s := "taken"
	if u.Generic {
		s += ", without the driver: slower"
	}
	if u.Reason != "" {
		s += ", but " + u.Reason
	}
	return s
}
